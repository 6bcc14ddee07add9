"""`python -m emily_backup_agent.restoring`: gets a backup back, with or without a running Emily.

Prints lines of JSON: `{"step", "done", "total"}` on the way, `{"restored": ...}` at the end. Exit codes:
0 restored, 1 not, and stderr says why; 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from emily_contracts.backups import Snapshot
from emily_postgres import PostgresError
from psycopg import Error as DatabaseError

from emily_backup_agent import own
from emily_backup_agent.backup import Manifest, following
from emily_backup_agent.drill import make_database, read_manifest
from emily_backup_agent.errors import BackupError, PlanInvalid
from emily_backup_agent.repository import DATABASE, DUMP, FILES, Repository, latest
from emily_backup_agent.work import Tell, repository_of

ASIDE = "%Y%m%d-%H%M%S"


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What was got back.

    Attributes:
        to: Where the files lie now.
        dump: The database as a file; empty when there is none, or when it was put in place.
        aside: What was in place before; empty when nothing was.
        tables: Of the database that was put in place, with all of their rows.
    """

    snapshot: str
    at: datetime
    to: str
    dump: str = ""
    aside: str = ""
    tables: int = 0


def fetch(
    repository: Repository, job: str, snapshot: str, to: Path, tell: Tell
) -> tuple[Snapshot, Path | None]:
    """Write the files of a backup under an empty folder, and its dump if it has one.

    Raises:
        BackupError: There is no such backup, or it can't be read.
    """
    if to.exists() and any(to.iterdir()):
        raise BackupError(f"{to}: is not empty; name a folder that is, or that does not exist")
    repository.open(make=False)
    known = repository.snapshots(job)
    files = latest(known, FILES, wanted=snapshot)
    if files is None:
        raise BackupError(
            f"job {job}: the repository has no {snapshot or 'complete'} backup; list them first"
        )
    to.mkdir(parents=True, exist_ok=True, mode=0o700)
    repository.restore(files.id, to, heard=following(tell, "files"))
    dump = latest(known, DATABASE, wanted=files.run)
    if dump is None:
        return files, None
    repository.restore(dump.id, to, heard=following(tell, "database"))
    return files, to / DUMP


def put_in_place(
    state_dir: Path, fetched: Path, dump: Path | None, manifest: Manifest, tell: Tell
) -> Restored:
    """Let a fetched state take the place of the one that is there, which is set aside and not removed.

    The database is made anew from the dump and compared with what was dumped, before anything is moved.

    Raises:
        BackupError: The restored database differs.
        PostgresError: It can't be made.
    """
    state = fetched / manifest.paths[0].lstrip("/")
    if dump is not None:
        tell("making the database", 0, 0)
        make_database(state / "postgres", dump, manifest)
    aside = ""
    if state_dir.exists():
        kept = state_dir.with_name(f"{state_dir.name}.before-{datetime.now(UTC).strftime(ASIDE)}")
        state_dir.rename(kept)
        aside = str(kept)
        # The repository lies in the state that it backs up: it stays in its place.
        if (kept / "backup").exists():
            shutil.rmtree(state / "backup", ignore_errors=True)
            (kept / "backup").rename(state / "backup")
    state.rename(state_dir)
    return Restored(
        snapshot="", at=datetime.now(UTC), to=str(state_dir), aside=aside, tables=len(manifest.tables)
    )


def main(arguments: list[str]) -> int:
    """Restore as the arguments say."""
    chosen = _parsed(arguments)
    folder = chosen.state_dir.absolute() / "backup"
    try:
        plan = own.given(chosen.plan_file, chosen.state_dir, folder, database=True)
        if chosen.job not in plan.jobs:
            raise PlanInvalid(f"job: there is no {chosen.job!r}; there are {', '.join(plan.jobs)}")
        state_dir = chosen.state_dir.absolute()
        paths = plan.jobs[chosen.job].paths
        if chosen.to is None and paths != (state_dir,):
            raise PlanInvalid(
                f"job {chosen.job}: does not back up {state_dir} alone, so it takes no place; name a folder"
            )
        repository = repository_of(plan, folder, chosen.restic, threading.Event())
        to = chosen.to.absolute() if chosen.to else state_dir.with_name(f"{state_dir.name}.restoring")
        if chosen.to is None:
            shutil.rmtree(to, ignore_errors=True)
        files, dump = fetch(repository, chosen.job, chosen.snapshot, to, _say)
        done = Restored(snapshot=files.id, at=files.at, to=str(to), dump=str(dump or ""))
        if chosen.to is None:
            manifest = read_manifest(to, files.paths)
            placed = put_in_place(state_dir, to, dump, manifest, _say)
            done = msgspec.structs.replace(placed, snapshot=files.id, at=files.at)
            shutil.rmtree(to)
    except (BackupError, PostgresError, DatabaseError, OSError) as failure:
        print(failure, file=sys.stderr)
        return 1
    print(msgspec.json.encode({"restored": done}).decode(), flush=True)
    return 0


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m emily_backup_agent.restoring")
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--plan-file", type=Path)
    parser.add_argument("--restic", type=Path)
    parser.add_argument("--job", default=own.JOB)
    parser.add_argument(
        "--snapshot", default="", help="of a run, or an id; the newest complete one by default"
    )
    parser.add_argument("--to", type=Path, help="an empty folder; without it, the state is put in place")
    return parser.parse_args(arguments)


def _say(step: str, done: int, total: int) -> None:
    print(msgspec.json.encode({"step": step, "done": done, "total": total}).decode(), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
