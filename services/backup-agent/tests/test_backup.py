"""A run is complete, or it says why it is not; what is in the repository is never worse after it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from emily_backup_agent import restic
from emily_backup_agent.backup import Run
from emily_backup_agent.check import check
from emily_backup_agent.drill import Rehearsal
from emily_backup_agent.errors import (
    BackupError,
    Busy,
    Damaged,
    DrillFailed,
    Incomplete,
    RepositoryLocked,
    RepositoryMissing,
    ResticUnusable,
    SourceMissing,
    WrongPassword,
)
from emily_backup_agent.plan import Job, Plan, Retention
from emily_backup_agent.standing import standing
from emily_backup_agent.testing import JOB, OpenRoom, quiet
from emily_contracts.backups import Attempt
from msgspec.structs import replace

UNREADABLE = Path(f"/proc/{os.getpid()}/mem")
"""Even root gets an input error there."""


def with_job(plan: Plan, **changes: object) -> Plan:
    return replace(plan, jobs={JOB: replace(plan.jobs[JOB], **changes)})


def ran(open_room: OpenRoom, plan: Plan, **changes: object) -> Attempt:
    with open_room(plan, **changes) as room:
        return Run(room, JOB, quiet, digests=False).run()


def refused(open_room: OpenRoom, plan: Plan, kind: type[BackupError], reason: str, **changes: object) -> None:
    """A run fails, and its record says why; what was complete before still is."""
    with open_room(plan, **changes) as room:
        before = room.book.of(JOB)
        with pytest.raises(kind, match=reason):
            Run(room, JOB, quiet, digests=False).run()
        after = room.book.of(JOB)
    assert after.attempt is not None
    assert after.attempt.reason
    assert (after.success, after.failures) == (before.success, before.failures + 1)


def test_backup_of_files_and_database_is_proved_by_a_drill(
    open_room: OpenRoom, plan: Plan, source: Path, filled: str
) -> None:
    plan = with_job(plan, database=True)
    with open_room(plan, database_url=filled) as room:
        attempt = Run(room, JOB, quiet, digests=True).run()
        (source / "file-3").write_bytes(b"changed after")
        drill = Rehearsal(room, JOB, attempt, quiet).run()
        record, snapshots = room.book.of(JOB), room.repository.snapshots(JOB)
    assert (attempt.files, attempt.reason, record.success) == (21, "", attempt)
    assert {(each.kind, each.complete, each.run) for each in snapshots} == {
        ("files", True, attempt.run),
        ("database", True, attempt.run),
    }
    assert (drill.files, drill.compared, drill.tables, drill.rows) == (21, 19, 1, 500)
    assert record.drilled == drill
    assert not room.scratch.exists()


def test_drill_finds_that_less_was_restored_than_was_backed_up(open_room: OpenRoom, plan: Plan) -> None:
    with open_room(plan) as room:
        attempt = Run(room, JOB, quiet, digests=True).run()
        other = replace(attempt, files=attempt.files + 1)
        with pytest.raises(DrillFailed, match=r"21 files of .* were restored; 22 of"):
            Rehearsal(room, JOB, other, quiet).run()
        record = room.book.of(JOB)
    assert record.drilled is None
    assert record.drill is not None
    assert record.drill.step == "compare"


def test_missing_source_is_a_failure_though_another_is_there(
    open_room: OpenRoom, plan: Plan, source: Path
) -> None:
    plan = with_job(plan, paths=(source, source / "gone", Path("/nowhere")))
    refused(open_room, plan, SourceMissing, "/gone, /nowhere: not there")


def test_repository_that_was_there_is_not_made_anew_where_it_is_gone(
    open_room: OpenRoom, plan: Plan, tmp_path: Path
) -> None:
    with open_room(plan) as room:
        room.book.opened(plan.repository.location)
    shutil.rmtree(tmp_path / "repository")
    refused(open_room, plan, RepositoryMissing, "there is no repository there", makes=True)
    assert not (tmp_path / "repository").exists()


def test_wrong_password_is_named(open_room: OpenRoom, plan: Plan) -> None:
    plan.repository.password_file.write_text("another\n")
    refused(open_room, plan, WrongPassword, "password file does not open it")


def test_password_that_is_gone_is_named(open_room: OpenRoom, plan: Plan) -> None:
    plan.repository.password_file.unlink()
    refused(open_room, plan, WrongPassword, "is not there; bring back your copy")


@pytest.mark.chaos
def test_locked_repository_is_named_and_a_lock_of_nobody_is_removed(
    open_room: OpenRoom, plan: Plan, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restic, "LOCK_WAIT", "100ms")
    monkeypatch.setattr(restic, "LOCK_TRIES", 3)
    command = [
        str(program),
        "-r",
        plan.repository.location,
        "-p",
        str(plan.repository.password_file),
        "backup",
    ]
    reading = ("--stdin", "--stdin-filename", "x", "--host", "other")
    with subprocess.Popen([*command, *reading], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as other:
        locks = Path(plan.repository.location) / "locks"
        while not list(locks.iterdir()):
            assert other.poll() is None
        refused(open_room, plan, RepositoryLocked, "somebody else works on it")
        other.kill()
    assert list(locks.iterdir())
    assert ran(open_room, plan).reason == ""


@pytest.mark.chaos
def test_what_could_not_be_read_makes_a_backup_incomplete_that_takes_no_place(
    open_room: OpenRoom, plan: Plan, source: Path
) -> None:
    plan = with_job(plan, retention=Retention(daily=1, weekly=0, monthly=0, yearly=0))
    good = ran(open_room, plan)
    refused(open_room, with_job(plan, paths=(source, UNREADABLE)), Incomplete, "could not be read: .*mem")
    with open_room(plan) as room:
        assert [(each.id == good.snapshot, each.complete) for each in room.repository.snapshots(JOB)] == [
            (False, False),
            (True, True),
        ]
    newer = ran(open_room, plan)
    with open_room(plan) as room:
        kept = room.repository.snapshots(JOB)
    assert [each.id for each in kept if each.complete] == [newer.snapshot]


@pytest.mark.chaos
def test_damage_is_found_and_nothing_is_forgotten(open_room: OpenRoom, plan: Plan, source: Path) -> None:
    plan = with_job(plan, retention=Retention(daily=1, weekly=0, monthly=0, yearly=0))
    first = ran(open_room, plan)
    packs = [path for path in (Path(plan.repository.location) / "data").rglob("*") if path.is_file()]
    largest = max(packs, key=lambda path: path.stat().st_size)
    largest.chmod(0o600)
    data = bytearray(largest.read_bytes())
    data[len(data) // 3] ^= 0xFF
    largest.write_bytes(data)
    (source / "new").write_text("new")
    refused(open_room, plan, Damaged, "the repository is damaged")
    with open_room(plan) as room:
        assert first.snapshot in {each.id for each in room.repository.snapshots(JOB)}
        with pytest.raises(Damaged):
            check(room, JOB, quiet)
        record = room.book.of(JOB)
        stands = standing(JOB, plan.jobs[JOB], replace(record, attempt=record.success), room.clock(), None)
    assert record.read.damaged
    assert (stands.state, "the repository is damaged" in stands.detail) == ("failing", True)


@pytest.mark.chaos
def test_check_reads_everything_and_a_repository_that_is_gone_is_no_damage(
    open_room: OpenRoom, plan: Plan, tmp_path: Path
) -> None:
    with open_room(plan) as room:
        read = check(room, JOB, quiet)
        assert room.book.of(JOB).read == read
        shutil.rmtree(tmp_path / "repository")
        with pytest.raises(RepositoryMissing):
            check(room, JOB, quiet)
        record = room.book.of(JOB)
    assert (read.part, read.whole_at, read.reason) == (1, read.at, "")
    assert (record.read.damaged, "there is no repository" in record.read.reason) == (False, True)


def test_database_that_is_away_is_a_failure(open_room: OpenRoom, plan: Plan) -> None:
    plan = with_job(plan, database=True)
    away = "postgresql://postgres@127.0.0.1:1/postgres"
    refused(open_room, plan, BackupError, "connection", database_url=away)
    refused(open_room, plan, SourceMissing, "set database_url")


def test_disk_without_room_is_a_failure(open_room: OpenRoom, plan: Plan, tmp_path: Path) -> None:
    repository = replace(plan.repository, location=str(tmp_path / "tiny" / "repository"))
    tiny = tmp_path / "tiny"
    tiny.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tiny", str(tiny)], check=False)
    if mounted.returncode != 0:
        pytest.skip("NOT tested: a full disk; mounting one needs root")
    try:
        shutil.copytree(tmp_path / "repository", tiny / "repository", dirs_exist_ok=True)
        big = tmp_path / "big"
        big.write_bytes(os.urandom(2_000_000))
        job = Job(paths=(big,), parts=1)
        refused(
            open_room, replace(plan, repository=repository, jobs={JOB: job}), BackupError, "no space left"
        )
    finally:
        subprocess.run(["umount", str(tiny)], check=True)


def test_two_do_not_run_at_once(open_room: OpenRoom, plan: Plan) -> None:
    with open_room(plan), pytest.raises(Busy, match="another backup runs"), open_room(plan):
        pass


def test_old_restic_is_refused(tmp_path: Path) -> None:
    old = tmp_path / "restic"
    old.write_text("#!/bin/sh\necho restic 0.14.0 compiled with go1.19.8 on linux/amd64\n")
    old.chmod(0o755)
    with pytest.raises(ResticUnusable, match=r"is 0\.14\.0.*install restic >= 0\.18"):
        restic.find(old)
    with pytest.raises(ResticUnusable, match="is not here"):
        restic.find(tmp_path / "absent")
