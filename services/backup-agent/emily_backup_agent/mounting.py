"""Snapshots of ZFS datasets as folders that can only be read, and where on this machine they are."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from emily_backup_agent.errors import SnapshotFailed

TIMEOUT_S = 60.0
_TABLE = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """Something that is mounted.

    Attributes:
        at: The folder.
        kind: Of filesystem, such as `zfs`.
        source: Such as `tank/emily`.
    """

    at: Path
    kind: str
    source: str


def mount(snapshot: str, at: Path) -> None:
    """Mount a snapshot, to be read only.

    Raises:
        SnapshotFailed: It can't be mounted.
    """
    at.mkdir(parents=True, exist_ok=True, mode=0o700)
    _run("mount", "-t", "zfs", "-o", "ro,nosuid,nodev", snapshot, str(at), about=snapshot)


def unmount_below(folder: Path) -> None:
    """End everything that is mounted below a folder, and remove where it was.

    Raises:
        SnapshotFailed: Something is still in use.
    """
    below = [each.at for each in mounts() if each.at.is_relative_to(folder) and each.at != folder]
    for at in sorted(below, key=lambda path: len(path.parts), reverse=True):
        _run("umount", str(at), about=str(at))
    if folder.exists():
        for at in folder.iterdir():
            at.rmdir()


def mounts() -> tuple[Mount, ...]:
    """Everything that is mounted, in the order of mounting."""
    return tuple(map(_mount, _TABLE.read_text().splitlines()))


def dataset_of(path: Path) -> str | None:
    """The ZFS dataset that holds a path; none when no dataset does."""
    holding = [each for each in mounts() if path.resolve().is_relative_to(each.at)]
    deepest = max(len(each.at.parts) for each in holding)
    newest = [each for each in holding if len(each.at.parts) == deepest][-1]
    return newest.source if newest.kind == "zfs" else None


def _mount(line: str) -> Mount:
    before, _, after = line.partition(" - ")
    kind, source = after.split()[:2]
    return Mount(Path(_unescaped(before.split()[4])), kind, _unescaped(source))


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), text)


def _run(*words: str, about: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            env=os.environ | {"LC_ALL": "C"},
        )
    except FileNotFoundError:
        raise SnapshotFailed(f"{words[0]}: is not on this machine") from None
    except subprocess.TimeoutExpired:
        raise SnapshotFailed(f"{about}: {words[0]} took more than {TIMEOUT_S:g} s") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise SnapshotFailed(f"{about}: {said[-1] if said else f'{words[0]} failed'}")
