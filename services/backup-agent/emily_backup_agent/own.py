"""What is backed up when nobody wrote a plan: Emily's own state, into an encrypted repository beside it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from emily_runtime.secrets.trail import Trail

from emily_backup_agent.errors import BackupError
from emily_backup_agent.plan import Job, Plan, Repository, Retention, read

NAME = "backup-agent"
JOB = "emily"
HOST = "emily"
"""Always the same, so that a restored state finds its snapshots on another machine."""
EPHEMERAL = ("postgres", "run", "log")
"""Of the state: the database is dumped, and the rest is made anew at each start."""


def plan_of(state_dir: Path, folder: Path, *, database: bool) -> Plan:
    """The plan: hourly, a day of hours kept.

    Args:
        state_dir: What is backed up.
        folder: Of the agent, in it.
        database: Whether there is one.
    """
    state_dir = state_dir.absolute()
    return Plan(
        host=HOST,
        repository=Repository(
            location=str(folder / "repository"), password_file=state_dir / "backup.password", make=True
        ),
        jobs={
            JOB: Job(
                paths=(state_dir,),
                exclude=tuple(str(state_dir / name) for name in EPHEMERAL),
                database=database,
                retention=Retention(hourly=24),
            )
        },
    )


def given(plan_file: Path | None, state_dir: Path, folder: Path, *, database: bool) -> Plan:
    """The plan in a file, or without one Emily's own.

    Raises:
        PlanInvalid: It can't be read, or is wrong.
    """
    return plan_of(state_dir, folder, database=database) if plan_file is None else read(plan_file)


def make_password(repository: Repository) -> bool:
    """Make the password of a repository that is not there yet, and put that on record; whether it was made.

    Raises:
        TrailBroken: The audit trail of its folder is; nothing is made.
        BackupError: The repository is there, and its password is not: a new one would not open it.
        OSError: It can't be written.
    """
    file, folder = repository.password_file, repository.folder
    if file.exists():
        return False
    if folder is not None and (folder / "config").exists():
        raise BackupError(f"{file}: is gone, and nothing else opens {folder}; bring back your copy of it")
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with Trail(file.parent).making(file.name, by=NAME):
        write_password(file)
    return True


def write_password(file: Path) -> None:
    """Write a new password into a new file that only its owner can read.

    Raises:
        OSError: It is there already, or can't be written.
    """
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as made:
        made.write(secrets.token_urlsafe(32) + "\n")
        made.flush()
        os.fsync(made.fileno())
