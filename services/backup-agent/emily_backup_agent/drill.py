"""A drill: the newest backup is restored where it harms nobody, and compared with what it was made of."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import msgspec
from emily_contracts.backups import Attempt, Drill
from emily_postgres import PostgresError, embedded
from emily_postgres.dumping import Table, restore, tables
from msgspec.structs import replace
from psycopg import Error as DatabaseError

from emily_backup_agent.backup import MANIFEST, Manifest, following
from emily_backup_agent.errors import BackupError, DrillFailed
from emily_backup_agent.repository import DUMP, LONG_S
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
        room, attempt, to = self._room, self._attempt, self._room.scratch / "restored"
        self._begin("restore")
        follow = following(self._tell, "restore")
        room.repository.restore(attempt.snapshot, to, reading_back=False, heard=follow)
        self._begin("compare")
        found = compare(to, attempt.started_at)
        self._note(files=found.files, compared=found.compared, changed=found.changed)
        if (found.files, found.size) != (attempt.files, attempt.size):
            raise DrillFailed(
                f"{found.files} files of {found.size} bytes were restored; "
                f"{attempt.files} of {attempt.size} bytes were backed up"
            )
        manifest = read_manifest(to, [str(room.folder / MANIFEST)])
        if manifest.tables:
            self._begin("database")
            room.repository.restore(attempt.dump, room.scratch)
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
    """What was restored.

    Attributes:
        size: Of all files, in bytes.
        compared: Files that are as their source.
        changed: Files that can't be compared, since their source changed after.
    """

    files: int = 0
    size: int = 0
    compared: int = 0
    changed: int = 0


def compare(restored: Path, made_at: datetime) -> Comparison:
    """Every file that was restored has the bytes of its source.

    Args:
        restored: Folder of the restore.
        made_at: When the backup began; sources that changed after are not compared.

    Raises:
        DrillFailed: Names what differs.
    """
    files = size = compared = changed = 0
    for folder, _, names in restored.walk(on_error=_unreadable):
        beside = "/" / folder.relative_to(restored)
        for name in names:
            copy, source = folder / name, beside / name
            there = copy.lstat()
            if not stat.S_ISREG(there.st_mode):
                continue
            files, size = files + 1, size + there.st_size
            if not _unchanged(source, there.st_mtime, made_at):
                changed += 1
            elif same(source, copy):
                compared += 1
            elif _unchanged(source, there.st_mtime, made_at):
                raise DrillFailed(f"{source}: was restored with other bytes")
            else:
                changed += 1
    return Comparison(files, size, compared, changed)


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


def read_manifest(restored: Path, paths: Iterable[str]) -> Manifest:
    """What a restored backup says of itself, wherever it was made.

    Args:
        restored: Folder of the restore.
        paths: That were backed up.

    Raises:
        DrillFailed: It says nothing.
    """
    said = next((path for path in paths if Path(path).name == MANIFEST), "/")
    try:
        return msgspec.json.decode((restored / said.lstrip("/")).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as failure:
        raise DrillFailed(f"{MANIFEST}: the backup does not say what it holds: {failure}") from None


def same(first: Path, second: Path) -> bool:
    """Whether two files hold the same bytes."""
    with first.open("rb", buffering=0) as one, second.open("rb", buffering=0) as other:
        while True:
            ours, theirs = one.read(CHUNK), other.read(CHUNK)
            if ours != theirs:
                return False
            if len(ours) < CHUNK:
                return True


def _unchanged(source: Path, modified: float, made_at: datetime) -> bool:
    """Whether a source is surely as it was when it was read."""
    try:
        now = source.lstat().st_mtime
    except OSError:
        return False
    return abs(now - modified) < 1e-3 and now < made_at.timestamp()


def _unreadable(failure: OSError) -> None:
    raise failure
