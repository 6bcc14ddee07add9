"""What a job asks of a repository.

Every snapshot is tagged with its job, its run and its kind; `complete` is added when the whole run is. What
is not complete counts for nothing, and no complete one gives way to it: retention looks at those alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from emily_contracts.backups import Snapshot

from emily_backup_agent.errors import Damaged, Incomplete, RepositoryMissing, ResticFailed
from emily_backup_agent.plan import Retention
from emily_backup_agent.restic import SOME_UNREADABLE, Heard, Line, Restic

COMPLETE = "complete"
DATABASE = "database"
FILES = "files"
DUMP = "memory.dump"
INCOMPLETE_KEPT = 3

QUICK_S = 600.0
LONG_S = 6 * 3600.0
LONGEST_S = 24 * 3600.0


class Made(NamedTuple):
    """A new snapshot."""

    id: str
    files: int
    size: int
    added: int


class Repository:
    """The snapshots of one host in a repository.

    Every method raises a `ResticFailed` when it can't be done, and `Stopped` when the agent stops.
    """

    def __init__(self, restic: Restic, host: str) -> None:
        self._restic = restic
        self._host = host

    def open(self, *, make: bool) -> None:
        """Make sure that it is there and the password opens it; remove locks of processes that are gone.

        Args:
            make: Whether it is made where it is not.
        """
        try:
            self._restic.run("unlock", deadline_s=QUICK_S)
        except RepositoryMissing:
            if not make:
                raise
            self._restic.run("init", deadline_s=QUICK_S)

    def back_up(
        self, paths: Iterable[Path], exclude: Iterable[str], *, job: str, run: str, heard: Heard
    ) -> Made:
        """A snapshot of files.

        Raises:
            Incomplete: Something could not be read.
        """
        unread: list[str] = []

        def listen(line: Line) -> None:
            if line.get("message_type") == "error":
                unread.append(str(line.get("item", "")))
            heard(line)

        patterns = [word for pattern in exclude for word in ("--exclude", pattern)]
        words = (*_tags(job, run, FILES), *patterns, "--", *map(str, paths))
        return self._backed_up(*words, heard=listen, unread=unread)

    def back_up_stream(
        self, command: Iterable[str], environment: Mapping[str, str], *, job: str, run: str, heard: Heard
    ) -> Made:
        """A snapshot of what a command writes to stdout; none when it fails."""
        words = (*_tags(job, run, DATABASE), "--stdin-filename", DUMP, "--stdin-from-command", "--", *command)
        return self._backed_up(*words, heard=heard, environment=environment)

    def mark_complete(self, job: str, run: str) -> None:
        """Let the snapshots of a run count."""
        self._restic.run("tag", *_of(self._host, job, f"run:{run}"), "--add", COMPLETE, deadline_s=QUICK_S)

    def forget(self, job: str, retention: Retention) -> None:
        """Forget complete snapshots beyond the retention and old incomplete ones; free what is unused."""
        kept = [f"--keep-{unit}={getattr(retention, unit)}" for unit in retention.__struct_fields__]
        grouped = ("--group-by", "host")
        for kind in (FILES, DATABASE):
            chosen = _of(self._host, job, f"kind:{kind}", COMPLETE)
            self._restic.run("forget", *chosen, *grouped, *kept, deadline_s=QUICK_S)
        leftover = ("--keep-tag", COMPLETE, f"--keep-last={INCOMPLETE_KEPT}")
        self._restic.run("forget", *_of(self._host, job), *grouped, *leftover, "--prune", deadline_s=LONG_S)

    def check(self, part: int, parts: int) -> None:
        """Read a part of everything that is in it.

        Raises:
            Damaged: It does not hold what it should.
        """
        try:
            self._restic.run("check", f"--read-data-subset={part}/{parts}", deadline_s=LONG_S)
        except ResticFailed as failure:
            if type(failure) is not ResticFailed:
                raise
            raise Damaged(
                f"the repository is damaged: {failure}; nothing is forgotten until it is mended"
            ) from None

    def key(self) -> str:
        """Which key the password opens, as a word of the repository."""
        return next(str(line["id"]) for line in self._keys() if line.get("current"))

    def add_key(self, password_file: Path) -> None:
        """Let another password open it too."""
        self._restic.run("key", "add", f"--new-password-file={password_file}", deadline_s=QUICK_S)

    def remove_key(self, key: str) -> None:
        """Let the password of a key open it no more; done already is done."""
        if any(line["id"] == key for line in self._keys()):
            self._restic.run("key", "remove", key, deadline_s=QUICK_S)

    def snapshots(self, job: str) -> tuple[Snapshot, ...]:
        """Of a job, newest first."""
        lines = self._restic.lines("snapshots", "--no-lock", *_of(self._host, job), deadline_s=QUICK_S)
        found = [_snapshot(line) for line in lines if f"job:{job}" in line.get("tags", ())]
        return tuple(sorted(found, key=lambda snapshot: snapshot.at, reverse=True))

    def restore(
        self, snapshot: str, to: Path, *, reading_back: bool = True, heard: Heard | None = None
    ) -> None:
        """Write a snapshot under a folder.

        Args:
            snapshot: Its id.
            to: The folder.
            reading_back: Whether what was written is read again; whoever compares it does that anyway.
            heard: Told how far it is.

        Raises:
            Incomplete: Something could not be written.
        """
        words = ("restore", snapshot, "--target", str(to), *(("--verify",) if reading_back else ()))
        if self._restic.run(*words, deadline_s=LONGEST_S, heard=heard) == SOME_UNREADABLE:
            raise Incomplete(f"{snapshot}: not everything could be restored")

    def _keys(self) -> list[Line]:
        return [line for line in self._restic.lines("key", "list", deadline_s=QUICK_S) if "id" in line]

    def _backed_up(
        self,
        *words: str,
        heard: Heard,
        unread: list[str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Made:
        summary: dict[str, Any] = {}

        def listen(line: Line) -> None:
            if line.get("message_type") == "summary":
                summary.update(line)
            heard(line)

        code = self._restic.run(
            "backup",
            "--host",
            self._host,
            *words,
            deadline_s=LONGEST_S,
            heard=listen,
            environment=environment,
        )
        made = summary.get("snapshot_id")
        if not made:
            raise ResticFailed("restic backup: told of no snapshot")
        if code == SOME_UNREADABLE:
            named = ", ".join(each for each in (unread or ())[:3] if each)
            raise Incomplete(
                f"some of it could not be read{f': {named}' if named else ''}; snapshot {made[:8]} lacks it"
            )
        return Made(
            id=made,
            files=summary.get("total_files_processed", 0),
            size=summary.get("total_bytes_processed", 0),
            added=summary.get("data_added_packed", summary.get("data_added", 0)),
        )


def latest(snapshots: Iterable[Snapshot], kind: str, *, wanted: str = "") -> Snapshot | None:
    """The newest complete one of a kind; of a run, or whose id begins so, when one is wanted."""
    for snapshot in snapshots:
        if snapshot.kind != kind:
            continue
        if wanted and (snapshot.run == wanted or snapshot.id.startswith(wanted)):
            return snapshot
        if not wanted and snapshot.complete:
            return snapshot
    return None


def _of(host: str, job: str, *tags: str) -> tuple[str, ...]:
    """Chooses the snapshots of a job that have all of the tags."""
    return "--host", host, "--tag", ",".join((f"job:{job}", *tags))


def _tags(job: str, run: str, kind: str) -> tuple[str, ...]:
    return "--tag", f"job:{job},run:{run},kind:{kind}"


def _snapshot(line: Line) -> Snapshot:
    tags = dict(tag.partition(":")[::2] for tag in line["tags"])
    summary = line.get("summary") or {}
    return Snapshot(
        id=line["id"],
        at=datetime.fromisoformat(line["time"]),
        run=tags.get("run", ""),
        kind="database" if tags.get("kind") == DATABASE else "files",
        host=line.get("hostname", ""),
        complete=COMPLETE in tags,
        size=summary.get("total_bytes_processed", 0),
        paths=tuple(line.get("paths") or ()),
    )
