"""`python -m emily_backup_agent.making`: makes the repository of a plan, once, because somebody says so.

Prints `{"made", "repository", "password_file"}`. Exit codes: 0 it is there, 1 it can't be made, and stderr
says why; 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from emily_runtime.errors import TrailBroken

from emily_backup_agent import own
from emily_backup_agent.errors import BackupError, RepositoryMissing
from emily_backup_agent.plan import read
from emily_backup_agent.work import opened


def main(arguments: list[str]) -> int:
    """Make it as the arguments say; one that is there is left as it is."""
    parser = argparse.ArgumentParser(prog="python -m emily_backup_agent.making")
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--plan-file", type=Path)
    parser.add_argument("--restic", type=Path)
    chosen = parser.parse_args(arguments)
    folder = chosen.state_dir.absolute() / "backup"
    try:
        if chosen.plan_file is not None:
            plan = read(chosen.plan_file)
        else:
            plan = own.plan_of(chosen.state_dir, folder, database=False)
            own.make_password(plan.repository)
        with opened(
            plan,
            folder,
            program=chosen.restic,
            database_url=None,
            stopping=threading.Event(),
            clock=lambda: datetime.now(UTC),
            makes=True,
        ) as room:
            made = False
            try:
                room.repository.open(make=False)
            except RepositoryMissing:
                room.repository.open(make=True)
                made = True
            room.book.opened(plan.repository.location)
    except (BackupError, TrailBroken, OSError) as failure:
        print(failure, file=sys.stderr)
        return 1
    said = {
        "made": made,
        "repository": plan.repository.location,
        "password_file": str(plan.repository.password_file),
    }
    print(msgspec.json.encode(said).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
