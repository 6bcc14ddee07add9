"""A drill: the newest backup is restored where it harms nobody, and compared with what it was made of."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import msgspec
from emily_contracts.backups import Attempt, Drill, Snapshot
from emily_postgres import PostgresError, embedded
from emily_postgres.dumping import Table, restore, tables
from msgspec.structs import replace
from psycopg import Error as DatabaseError

from emily_backup_agent.backup import MANIFEST, Manifest, following
from emily_backup_agent.errors import BackupError, DrillFailed
from emily_backup_agent.repository import DATABASE, DUMP, FILES, LONG_S, latest
from emily_backup_agent.restic import Line
from emily_backup_agent.work import Room, Tell

CHUNK = 1 << 20


class Rehearsal:
    """A drill of a job, on what a run of it made.

    Args:
        room: What it works with.
        job: Its name.
        attempt: The run.
        tell: Told how far it is.
    """

    def __init__(self, room: Room, job: str, attempt: Attempt, tell: Tell) -> None:
        self._room = room
        self._name = job
        self._attempt = attempt
        self._tell = tell
        self._drill = Drill(run=attempt.run, started_at=room.clock())

    def run(self) -> Drill:
        """Restore and compare.

        Raises:
            DrillFailed: Something differs, or could not be restored; the record says what.
        """
        try:
            self._all()
        except (BackupError, PostgresError, DatabaseError, OSError) as failure:
            self._note(reason=str(failure).strip() or type(failure).__name__, ended_at=self._room.clock())
            raise failure if isinstance(failure, BackupError) else DrillFailed(str(failure).strip()) from None
        book = self._room.book
        self._drill = replace(self._drill, step="", ended_at=self._room.clock())
        book.keep(self._name, book.of(self._name).proved(self._drill))
        return self._drill

    def _all(self) -> None:
        room, run = self._room, self._attempt.run
        snapshots = room.repository.snapshots(self._name)
        self._begin("restore")
        files, to = latest(snapshots, FILES, wanted=run), room.scratch / "restored"
        if files is None:
            raise DrillFailed(f"the repository lists no files of run {run}")
        room.repository.restore(files.id, to, reading_back=False, heard=following(self._tell, "restore"))
        self._begin("compare")
        found = compare(to, room.repository.listing(files.id), self._attempt.started_at)
        self._note(files=found.files, compared=found.compared, changed=found.changed)
        manifest = read_manifest(to, files)
        if manifest.tables:
            self._begin("database")
            dump = latest(snapshots, DATABASE, wanted=run)
            if dump is None:
                raise DrillFailed(f"the repository lists no dump of run {run}")
            room.repository.restore(dump.id, room.scratch)
            self._database(manifest)

    def _database(self, manifest: Manifest) -> None:
        make_database(self._room.scratch / "postgres", self._room.scratch / DUMP, manifest)
        self._note(tables=len(manifest.tables), rows=sum(table.rows for table in manifest.tables))

    def _begin(self, step: str) -> None:
        self._tell(step, 0, 0)
        self._note(step=step)

    def _note(self, **changes: object) -> None:
        self._drill = replace(self._drill, **changes)
        book = self._room.book
        book.keep(self._name, replace(book.of(self._name), drill=self._drill))


class Comparison(msgspec.Struct, frozen=True):
    """How many files were restored, compared with their source, and not comparable since that changed."""

    files: int
    compared: int
    changed: int


def compare(restored: Path, listing: Iterable[Line], made_at: datetime) -> Comparison:
    """Everything that was listed is there in its size; what its source still has, byte for byte.

    Args:
        restored: Folder of the restore.
        listing: Of the snapshot.
        made_at: When the backup began; sources that changed after are not compared.

    Raises:
        DrillFailed: Names what is missing or differs.
    """
    files = compared = changed = 0
    for node in listing:
        if node.get("type") != "file":
            continue
        source = Path(node["path"])
        copy = restored / source.relative_to("/")
        if not copy.is_file() or copy.stat().st_size != node.get("size", 0):
            raise DrillFailed(f"{source}: was not restored in its size")
        files += 1
        modified = datetime.fromisoformat(node["mtime"])
        if not _unchanged(source, modified, made_at):
            changed += 1
        elif same(source, copy):
            compared += 1
        elif _unchanged(source, modified, made_at):
            raise DrillFailed(f"{source}: was restored with other bytes")
        else:
            changed += 1
    return Comparison(files, compared, changed)


def make_database(folder: Path, dump: Path, manifest: Manifest) -> None:
    """Make an embedded database of a dump, and compare it with what was dumped; it is stopped after.

    Raises:
        DrillFailed: A table does not hold what was dumped.
        PostgresError: It can't be made.
    """
    hashed = all(table.digest or not table.rows for table in manifest.tables)
    with embedded(folder) as url:
        restore(url, dump, roles=manifest.roles, deadline_s=LONG_S)
        differing = differences(manifest.tables, tables(url, digests=hashed))
    if differing:
        raise DrillFailed(f"the restored database differs: {', '.join(differing)}")


def differences(expected: Iterable[Table], found: Iterable[Table]) -> tuple[str, ...]:
    """Tables that do not hold the same, with how they differ."""
    there = {table.name: table for table in found}
    told = []
    for table in expected:
        other = there.get(table.name)
        if other is None:
            told.append(f"{table.name} is missing")
        elif other.rows != table.rows:
            told.append(f"{table.name} has {other.rows} rows, not {table.rows}")
        elif table.digest and other.digest != table.digest:
            told.append(f"{table.name} has other rows")
    return tuple(told)


def read_manifest(restored: Path, files: Snapshot) -> Manifest:
    """What a restored backup says of itself, wherever it was made.

    Raises:
        DrillFailed: It says nothing.
    """
    said = next((path for path in files.paths if Path(path).name == MANIFEST), "/")
    try:
        return msgspec.json.decode((restored / said.lstrip("/")).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as failure:
        raise DrillFailed(f"{MANIFEST}: the backup does not say what it holds: {failure}") from None


def same(first: Path, second: Path) -> bool:
    """Whether two files hold the same bytes."""
    with first.open("rb") as one, second.open("rb") as other:
        while True:
            ours, theirs = one.read(CHUNK), other.read(CHUNK)
            if ours != theirs:
                return False
            if not ours:
                return True


def _unchanged(source: Path, modified: datetime, made_at: datetime) -> bool:
    """Whether a source is surely as it was when it was read."""
    try:
        now = os.lstat(source).st_mtime
    except OSError:
        return False
    return abs(now - modified.timestamp()) < 1e-3 and now < made_at.timestamp()
