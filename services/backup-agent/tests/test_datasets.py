"""A dataset is backed up as it was in one instant, and nothing stays mounted or held.

A folder stands for a snapshot here, and is mounted in its place.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from emily_backup_agent import mounting
from emily_backup_agent.backup import Run
from emily_backup_agent.drill import Rehearsal, read_manifest
from emily_backup_agent.errors import BackupError, SnapshotFailed
from emily_backup_agent.mounting import dataset_of, mounts, unmount_below
from emily_backup_agent.plan import Job, Plan
from emily_backup_agent.repository import FILES, latest
from emily_backup_agent.testing import JOB, Folders, OpenRoom, quiet
from msgspec.structs import replace

TABLE = """\
22 1 259:1 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / /tank rw,noatime shared:7 - zfs tank rw,xattr
31 30 0:41 / /tank/emily rw,noatime - zfs tank/emily rw,xattr
32 31 0:42 / /tank/emily/of\\040people rw,noatime - zfs tank/emily/people rw,xattr
33 22 0:43 / /mnt rw - tmpfs tmpfs rw
"""


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folders]:
    """Snapshots as folders, mounted by binding them."""
    folders = Folders(tmp_path / "pool", tmp_path / "bin")
    folders.write("tank/emily", "mind", os.urandom(500_000))
    folders.write("tank/emily/models", "weights", b"few")
    monkeypatch.setenv("PATH", f"{folders.bin}{os.pathsep}{os.environ['PATH']}")
    if not folders.can_mount(tmp_path / "probe"):
        pytest.skip("NOT tested: datasets; binding a folder needs root")
    yield folders
    unmount_below(tmp_path / "agent" / "mounts")


@pytest.fixture
def of_dataset(plan: Plan) -> Plan:
    return replace(plan, jobs={JOB: Job(dataset="tank/emily", recursive=True, parts=1)})


def test_dataset_is_backed_up_as_it_was_in_one_instant_and_drilled_against_that(
    open_room: OpenRoom, of_dataset: Plan, storage: Folders, tmp_path: Path
) -> None:
    with open_room(of_dataset, storage=storage) as room:
        attempt = Run(room, JOB, quiet, digests=True).run()
        storage.write("tank/emily", "mind", b"changed after")
        storage.write("tank/emily/models", "weights", b"lots")
        drill = Rehearsal(room, JOB, attempt, quiet).run()
        assert storage.held
        with pytest.raises(OSError, match="Read-only"):
            (room.mounts / "tank+emily" / "mind").write_bytes(b"")
    assert (attempt.files, drill.files, drill.compared) == (3, 3, 2)
    assert not storage.held
    assert not [each for each in mounts() if each.at.is_relative_to(tmp_path)]


def test_volumes_are_skipped_and_named(
    open_room: OpenRoom, of_dataset: Plan, storage: Folders, tmp_path: Path
) -> None:
    storage.write("tank/emily/vol", "block", b"device")
    with open_room(of_dataset, storage=storage) as room:
        attempt = Run(room, JOB, quiet, digests=True).run()
        assert storage.held
    assert (attempt.files, attempt.skipped) == (3, ("tank/emily/vol",))
    assert not storage.held


def test_job_of_a_volume_fails_and_says_what_to_do(
    open_room: OpenRoom, of_dataset: Plan, storage: Folders
) -> None:
    storage.write("tank/vol", "block", b"device")
    plan = replace(of_dataset, jobs={JOB: Job(dataset="tank/vol", parts=1)})
    with (
        open_room(plan, storage=storage) as room,
        pytest.raises(SnapshotFailed, match=r"is a volume .* replicate"),
    ):
        Run(room, JOB, quiet, digests=False).run()
    assert not storage.held


@pytest.mark.chaos
def test_what_did_not_change_is_not_read_into_the_repository_again(
    open_room: OpenRoom, of_dataset: Plan, storage: Folders
) -> None:
    with open_room(of_dataset, storage=storage) as room:
        first = Run(room, JOB, quiet, digests=False).run()
    with open_room(of_dataset, storage=storage) as room:
        second = Run(room, JOB, quiet, digests=False).run()
        files = latest(room.repository.snapshots(JOB), FILES)
        assert files is not None
        room.repository.restore(files.id, room.scratch / "restored")
        manifest = read_manifest(room.scratch / "restored", files.paths)
    assert first.added > 400_000
    assert second.added < 20_000
    assert list(manifest.datasets.values()) == ["tank/emily", "tank/emily/models"]
    assert list(manifest.datasets) == list(manifest.paths)


@pytest.mark.chaos
def test_database_is_dumped_as_it_was_when_the_snapshot_was_taken(
    open_room: OpenRoom, of_dataset: Plan, storage: Folders, filled: str
) -> None:
    plan = replace(of_dataset, jobs={JOB: replace(of_dataset.jobs[JOB], database=True)})
    with open_room(plan, storage=storage, database_url=filled) as room:
        attempt = Run(room, JOB, quiet, digests=True).run()
        drill = Rehearsal(room, JOB, attempt, quiet).run()
    assert (drill.compared, drill.tables, drill.rows) == (2, 1, 500)


@pytest.mark.parametrize("broken", ["take", "mount"])
def test_what_can_not_be_taken_or_mounted_is_a_failure_and_leaves_nothing(
    open_room: OpenRoom, of_dataset: Plan, storage: Folders, tmp_path: Path, broken: str
) -> None:
    storage.broken = broken
    with open_room(of_dataset, storage=storage) as room:
        with pytest.raises(SnapshotFailed, match=r"tank/emily.*broken"):
            Run(room, JOB, quiet, digests=False).run()
        attempt = room.book.of(JOB).attempt
    assert attempt is not None
    assert (attempt.step, "broken" in attempt.reason) == ("snapshot", True)
    assert not storage.held
    assert not [each for each in mounts() if each.at.is_relative_to(tmp_path)]


KILLED = """
import os, pathlib, signal, sys, threading
from datetime import UTC, datetime
import msgspec
from emily_backup_agent.backup import Run
from emily_backup_agent.plan import Plan
from emily_backup_agent.testing import Folders
from emily_backup_agent.work import opened

plan, folder, program, pool, bin, step = sys.argv[1:]
plan = msgspec.json.decode(plan, type=Plan, dec_hook=lambda kind, value: kind(value))

def tell(now, done, total):
    if now == step:
        os.kill(os.getpid(), signal.SIGKILL)

room = opened(plan, pathlib.Path(folder), program=pathlib.Path(program), database_url=None,
              stopping=threading.Event(), clock=lambda: datetime.now(UTC), makes=False,
              storage=Folders(pathlib.Path(pool), pathlib.Path(bin)))
with room as room:
    Run(room, "emily", tell, digests=False).run()
"""


@pytest.mark.chaos
@pytest.mark.parametrize("step", ["snapshot", "files", "verify", "check", "forget"])
def test_run_that_was_killed_is_cleared_away_by_the_next(
    open_room: OpenRoom, of_dataset: Plan, storage: Folders, program: Path, tmp_path: Path, step: str
) -> None:
    arguments = [tmp_path / "agent", program, storage.pool, storage.bin, step]
    killed = subprocess.run(
        [
            sys.executable,
            "-c",
            KILLED,
            msgspec.json.encode(of_dataset, enc_hook=str).decode(),
            *map(str, arguments),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=50,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert bool(storage.held) is (step != "snapshot")
    with open_room(of_dataset, storage=storage) as room:
        assert Run(room, JOB, quiet, digests=False).run().reason == ""
    assert not storage.held
    assert not [each for each in mounts() if each.at.is_relative_to(tmp_path)]


def test_agent_without_a_bus_says_that_it_needs_one(open_room: OpenRoom, of_dataset: Plan) -> None:
    with open_room(of_dataset) as room, pytest.raises(BackupError, match="dataset: only the backup-agent"):
        Run(room, JOB, quiet, digests=False).run()


def test_where_a_path_lies_is_read_from_what_is_mounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(TABLE)
    monkeypatch.setattr(mounting, "_TABLE", table)
    assert [(str(each.at), each.source) for each in mounts()][3:] == [
        ("/tank/emily/of people", "tank/emily/people"),
        ("/mnt", "tmpfs"),
    ]
    assert dataset_of(Path("/tank/emily/backup/repository")) == "tank/emily"
    assert dataset_of(Path("/tank/emilys")) == "tank"
    assert dataset_of(Path("/mnt/x")) is None
    assert dataset_of(Path("/nowhere")) is None


@pytest.mark.parametrize(
    ("location", "dataset", "recursive"),
    [("/tank/emily/repository", "tank/emily", False), ("/tank/emily/of people/r", "tank", True)],
)
def test_dataset_does_not_go_into_itself(
    open_room: OpenRoom,
    plan: Plan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    location: str,
    dataset: str,
    recursive: bool,
) -> None:
    repository = replace(plan.repository, location=location)
    plan = replace(
        plan, repository=repository, jobs={JOB: Job(dataset=dataset, recursive=recursive, parts=1)}
    )
    table = tmp_path / "mountinfo"
    table.write_text(TABLE)
    monkeypatch.setattr(mounting, "_TABLE", table)
    with open_room(plan) as room, pytest.raises(SnapshotFailed, match="would be backed up into itself"):
        Run(room, JOB, quiet, digests=False).run()
    shutil.rmtree(tmp_path / "repository")
