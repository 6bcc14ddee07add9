"""What is backed up when nobody wrote a plan."""

from __future__ import annotations

from pathlib import Path

import pytest
from emily_backup_agent import own
from emily_backup_agent.errors import BackupError
from emily_runtime.secrets.trail import Trail


def test_password_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    repository = own.plan_of(tmp_path / "new", tmp_path / "new" / "backup", database=False).repository
    assert own.make_password(repository)
    made = repository.password_file.read_text()
    assert len(made) > 40
    assert repository.password_file.stat().st_mode & 0o777 == 0o600
    assert not own.make_password(repository)
    assert repository.password_file.read_text() == made
    (entry,), _ = Trail(tmp_path / "new").verified()
    assert (entry.secret, entry.act, entry.who.split()[0]) == ("backup.password", "made", "backup-agent")


def test_no_new_password_is_made_for_a_repository_that_is_there(tmp_path: Path) -> None:
    repository = own.plan_of(tmp_path, tmp_path / "backup", database=False).repository
    Path(repository.location).mkdir(parents=True)
    (Path(repository.location) / "config").write_bytes(b"")
    with pytest.raises(BackupError, match="bring back your copy"):
        own.make_password(repository)


def test_live_files_of_the_database_are_left_out_and_its_dump_is_made(tmp_path: Path) -> None:
    job = own.plan_of(tmp_path, tmp_path / "backup", database=True).jobs[own.JOB]
    assert (job.paths, job.database) == ((tmp_path,), True)
    assert str(tmp_path / "postgres") in job.exclude
