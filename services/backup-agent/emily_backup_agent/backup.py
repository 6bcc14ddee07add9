"""One run of a job, step by step. It counts when all of it is done, and until then for nothing."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from emily_contracts.backups import Attempt
from emily_postgres import PostgresError
from emily_postgres.dumping import Table, dump_command, frozen
from msgspec.structs import replace
from psycopg import Error as DatabaseError

from emily_backup_agent.datasets import instant, require_elsewhere
from emily_backup_agent.errors import BackupError, Damaged, SnapshotFailed, SourceMissing
from emily_backup_agent.plan import Job
from emily_backup_agent.record import with_part
from emily_backup_agent.repository import DATABASE, FILES, Made, latest
from emily_backup_agent.restic import Heard, Line
from emily_backup_agent.work import Room, Tell

MANIFEST = "manifest.json"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds besides files, said in the backup itself: it can be proved wherever it is restored.

    Attributes:
        paths: That were backed up.
        datasets: Of ZFS, by the path at which each was read.
        tables: Of the database, in the state that was dumped.
        roles: That the dump names.
    """

    job: str
    run: str
    paths: tuple[str, ...]
    datasets: dict[str, str] = {}
    tables: tuple[Table, ...] = ()
    roles: tuple[str, ...] = ()


class Run:
    """A run of a job.

    Args:
        room: What it works with.
        job: Its name.
        tell: Told how far it is.
        digests: Whether rows of the database are hashed, to be compared by a drill.
    """

    def __init__(self, room: Room, job: str, tell: Tell, *, digests: bool) -> None:
        self._room = room
        self._name = job
        self._job: Job = room.plan.jobs[job]
        self._tell = tell
        self._digests = digests
        self._attempt = Attempt(run=secrets.token_hex(8), started_at=room.clock())
        self._read = room.book.of(job).read

    def run(self) -> Attempt:
        """Back up.

        Raises:
            BackupError: It is not complete; the record says at which step, and why.
        """
        book, name = self._room.book, self._name
        book.keep(name, book.of(name).begun(self._attempt))
        try:
            self._all()
        except (BackupError, PostgresError, DatabaseError, OSError) as failure:
            self._note(reason=str(failure).strip() or type(failure).__name__, ended_at=self._room.clock())
            raise failure if isinstance(failure, BackupError) else BackupError(str(failure).strip()) from None
        return self._attempt

    def _all(self) -> None:
        room, name, run = self._room, self._name, self._attempt.run
        self._begin("sources")
        require_there(self._job.paths)
        require_elsewhere(room.plan.repository.folder, self._job)
        self._begin("repository")
        room.repository.open(
            make=room.makes and room.book.records.repository != room.plan.repository.location
        )
        room.book.opened(room.plan.repository.location)
        manifest = self._database() if self._job.database else self._sources()
        self._begin("files")
        made = self._files(manifest)
        self._note(files=made.files, size=made.size, added=self._attempt.added + made.added)
        self._begin("verify")
        if not room.plan.repository.append_only:
            room.repository.mark_complete(name, run)
        self._verify(manifest.paths)
        self._begin("check")
        part = self._read.part % self._job.parts + 1
        room.repository.check(part, self._job.parts)
        read = with_part(self._read, part, of=self._job.parts, at=room.clock())
        if not room.plan.repository.append_only:
            self._begin("forget")
            room.repository.forget(name, self._job.retention)
        self._attempt = replace(self._attempt, step="", ended_at=room.clock())
        room.book.keep(name, room.book.of(name).completed(self._attempt, read))

    def _sources(self) -> Manifest:
        """What is backed up of files; a dataset is from now on seen as it is now."""
        job, room = self._job, self._room
        mounted: dict[Path, str] = {}
        if job.dataset is not None:
            if room.storage is None:
                raise SnapshotFailed("dataset: only the backup-agent on a bus can ask for snapshots")
            self._begin("snapshot")
            seen = room.at_the_end.enter_context(instant(room.storage, self._name, job, room.mounts))
            mounted = seen.mounted
            self._note(skipped=seen.volumes)
        return Manifest(
            job=self._name,
            run=self._attempt.run,
            paths=tuple(map(str, (*job.paths, *mounted))),
            datasets={str(at): dataset for at, dataset in mounted.items()},
        )

    def _database(self) -> Manifest:
        """The sources, and a dump of the database as it was in the same instant."""
        url = self._room.database_url
        if url is None:
            raise SourceMissing("database: this job wants it dumped, and there is none; set database_url")
        self._begin("database")
        with frozen(url) as state:
            manifest = self._sources()
            self._begin("database")
            tables, roles = state.tables(digests=self._digests), state.roles()
            command = dump_command(url, state.snapshot)
            made = self._room.repository.back_up_stream(
                command.words,
                command.environment,
                job=self._name,
                run=self._attempt.run,
                heard=self._follow("database"),
            )
        self._note(added=made.added)
        return replace(manifest, tables=tables, roles=roles)

    def _files(self, manifest: Manifest) -> Made:
        room = self._room
        said = room.folder / MANIFEST
        said.write_bytes(msgspec.json.encode(manifest))
        own = [room.scratch, room.folder / "cache", *filter(None, [room.plan.repository.folder])]
        return room.repository.back_up(
            (*map(Path, manifest.paths), said),
            (*self._job.exclude, *map(str, own)),
            job=self._name,
            run=self._attempt.run,
            heard=self._follow("files"),
        )

    def _verify(self, paths: Iterable[str]) -> None:
        """The repository must list what this run made, with every source in it, and marked as complete.

        restic is content where a source went before it got there, and where a mark could not be written.
        """
        there = self._room.repository.snapshots(self._name)
        files = latest(there, FILES, wanted=self._attempt.run)
        dump = latest(there, DATABASE, wanted=self._attempt.run)
        if files is None or (self._job.database and dump is None):
            raise Damaged("the repository does not list what was just backed up")
        gone = [path for path in paths if os.path.normpath(path) not in files.paths]
        if gone:
            raise SourceMissing(f"paths: {', '.join(gone)}: went while it was backed up")
        require_there(self._job.paths)
        unmarked = [each.id for each in (files, dump) if each is not None and not each.complete]
        if unmarked and not self._room.plan.repository.append_only:
            raise Damaged(f"{', '.join(unmarked)}: could not be marked as complete; is the disk full?")
        self._note(snapshot=files.id, dump="" if dump is None else dump.id)

    def _begin(self, step: str) -> None:
        self._tell(step, 0, 0)
        self._note(step=step)

    def _note(self, **changes: object) -> None:
        self._attempt = replace(self._attempt, **changes)
        book = self._room.book
        book.keep(self._name, replace(book.of(self._name), attempt=self._attempt))

    def _follow(self, step: str) -> Heard:
        return following(self._tell, step)


def require_there(paths: Iterable[Path]) -> None:
    """All sources exist; restic itself is content when one of several does.

    Raises:
        SourceMissing: Names every one that does not.
    """
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise SourceMissing(f"paths: {', '.join(missing)}: not there; is the disk mounted?")


def following(tell: Tell, step: str) -> Callable[[Line], None]:
    """Tells what restic says of how far it is."""

    def heard(line: Line) -> None:
        if line.get("message_type") == "status":
            tell(
                step,
                int(line.get("bytes_done") or line.get("bytes_restored") or 0),
                int(line.get("total_bytes") or 0),
            )

    return heard
