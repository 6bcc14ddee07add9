"""`python -m emily_backup_agent.rekeying`: gives a repository another password.

The new key is added and tried, its password takes the place of the old one, and only then the old key is
removed: there is no moment in which nobody knows a password. Cut off anywhere, the password file opens the
repository, and the next call goes on from there.

Prints `{"rotated": PASSWORD_FILE}`. Exit codes: 0 done; 1 not, and stderr says why; 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec.structs import replace

from emily_backup_agent import own
from emily_backup_agent.errors import BackupError, WrongPassword
from emily_backup_agent.plan import Plan
from emily_backup_agent.repository import Repository
from emily_backup_agent.work import opened, repository_of

type Opening = Callable[[Path], Repository]
"""The repository, opened with the password in a file."""


def rekey(password_file: Path, opening: Opening) -> None:
    """Give the repository another password, in the same file.

    Raises:
        BackupError: The repository can't be opened or changed.
        OSError: A file beside the password can't be written.
    """
    new = password_file.with_name(f"{password_file.name}.new")
    retiring = password_file.with_name(f"{password_file.name}.retiring")
    if new.exists() or not retiring.exists():
        if not retiring.exists():
            _add(password_file, new, opening)
            _write(retiring, opening(password_file).key())
        new.replace(password_file)
    opening(password_file).remove_key(retiring.read_text())
    retiring.unlink()


def _add(password_file: Path, new: Path, opening: Opening) -> None:
    """A key for a new password, which opens the repository."""
    if new.exists() and not _opens(new, opening):
        new.unlink()  # cut off before its key was added
    if not new.exists():
        own.write_password(new)
        opening(password_file).add_key(new)
        opening(new).key()


def _opens(file: Path, opening: Opening) -> bool:
    try:
        opening(file).key()
    except WrongPassword:
        return False
    return True


def _write(file: Path, text: str) -> None:
    whole = file.with_name(f"{file.name}.whole")
    whole.write_text(text)
    whole.replace(file)


def main(arguments: list[str]) -> int:
    """Rekey the repository of a plan, while no backup runs."""
    parser = argparse.ArgumentParser(prog="python -m emily_backup_agent.rekeying")
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--plan-file", type=Path)
    parser.add_argument("--restic", type=Path)
    chosen = parser.parse_args(arguments)
    folder, stopping = chosen.state_dir.absolute() / "backup", threading.Event()
    try:
        plan = own.given(chosen.plan_file, chosen.state_dir, folder, database=False)

        def opening(file: Path) -> Repository:
            return repository_of(_with_password(plan, file), folder, chosen.restic, stopping)

        with opened(
            plan,
            folder,
            program=chosen.restic,
            database_url=None,
            stopping=stopping,
            clock=lambda: datetime.now(UTC),
            makes=False,
        ):
            rekey(plan.repository.password_file, opening)
    except (BackupError, OSError) as failure:
        print(failure, file=sys.stderr)
        return 1
    print(msgspec.json.encode({"rotated": str(plan.repository.password_file)}).decode())
    return 0


def _with_password(plan: Plan, file: Path) -> Plan:
    return replace(plan, repository=replace(plan.repository, password_file=file))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
