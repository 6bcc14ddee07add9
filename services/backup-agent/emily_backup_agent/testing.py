"""What tests of backups share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from emily_backup_agent.datasets import Taken
from emily_backup_agent.errors import ResticUnusable, SnapshotFailed
from emily_backup_agent.mounting import mount, unmount_below
from emily_backup_agent.restic import find
from emily_backup_agent.work import Room

OWN = Path(__file__).parents[3] / ".tools" / "bin" / "restic"
"""That a checkout fetches."""
JOB = "emily"

type OpenRoom = Callable[..., AbstractContextManager[Room]]


def quiet(step: str, done: int, total: int) -> None:
    """Progress that nobody sees."""


@pytest.fixture(scope="session")
def program() -> Path:
    """restic; where there is none, the test is skipped, and with EMILY_RESTIC=required it fails."""
    try:
        return find(OWN if OWN.exists() else None)
    except ResticUnusable as failure:
        if os.environ.get("EMILY_RESTIC") == "required":
            raise
        pytest.skip(f"NOT tested: backups; {failure}")


MOUNT = """#!/bin/sh
# mount -t zfs -o OPTIONS SNAPSHOT AT
[ ! -e {pool}/broken ] || {{ echo "mount: broken" >&2; exit 32; }}
{mount} --bind "{pool}/$(printf '%s' "$5" | tr / +)" "$6" && {mount} -o remount,bind,ro "$6"
"""


class Folders:
    """Datasets, snapshots and holds as folders and files: they outlive a process that is killed.

    Attributes:
        pool: In which they are.
        bin: Holds a `mount` that binds such a folder.
    """

    def __init__(self, pool: Path, bin: Path) -> None:
        self.pool, self.bin = pool, bin
        for each in (pool / "holds", bin):
            each.mkdir(parents=True, exist_ok=True)
        script = bin / "mount"
        script.write_text(MOUNT.format(pool=pool, mount=shutil.which("mount", path="/usr/bin:/bin")))
        script.chmod(0o755)

    @property
    def held(self) -> list[str]:
        """What is held, each with its tag."""
        return sorted(each.name for each in (self.pool / "holds").iterdir())

    @property
    def broken(self) -> str:
        """What fails."""
        return ""

    @broken.setter
    def broken(self, what: str) -> None:
        (self.pool / ("broken" if what == "mount" else f"no-{what}")).touch()

    def write(self, dataset: str, name: str, data: bytes) -> None:
        """Put a file into a dataset."""
        folder = self.pool / dataset.replace("/", "+")
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)

    def can_mount(self, at: Path) -> bool:
        """Whether this process may."""
        self.take("tank/emily", "probe", recursive=False)
        self.release("tank/emily", "probe", recursive=False)
        try:
            mount("tank/emily@0", at / "probe")
        except SnapshotFailed:
            return False
        unmount_below(at)
        return True

    def take(self, dataset: str, tag: str, *, recursive: bool) -> Taken:
        """Copy the folders; one whose name begins with `vol` is a volume."""
        if (self.pool / "no-take").exists():
            raise SnapshotFailed(f"{dataset}: broken")
        flat = dataset.replace("/", "+")
        live = sorted(each for each in self.pool.glob(f"{flat}*") if "@" not in each.name)
        chosen = [each.name for each in live if recursive or each.name == flat]
        number = len(list(self.pool.glob(f"{flat}@*")))
        for each in chosen:
            shutil.copytree(self.pool / each, self.pool / f"{each}@{number}")
            (self.pool / "holds" / f"{each}@{number} {tag}").touch()
        names = [f"{each.replace('+', '/')}@{number}" for each in chosen]
        volumes = tuple(each for each in names if each.rpartition("/")[2].startswith("vol"))
        return Taken(tuple(each for each in names if each not in volumes), volumes)

    def release(self, dataset: str, tag: str, *, recursive: bool) -> None:
        """Remove the files that hold."""
        for each in (self.pool / "holds").glob(f"{dataset.replace('/', '+')}*@* {tag}"):
            each.unlink()
