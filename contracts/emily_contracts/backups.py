"""What is asked of the backup-agent, and what it tells of its jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from emily_contracts.constraints import Name

Count = Annotated[int, Meta(ge=0)]
What = Literal["backup", "drill", "check"]
"""A backup; one that is restored and compared; the whole repository read for damage."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a job.

    Attributes:
        run: Names its snapshots.
        ended_at: None while it runs, and for ever when it was killed.
        step: The last that it began.
        reason: Why it is not complete; empty when it is.
        snapshot: Of the files.
        dump: Snapshot of the database.
        files: In the snapshot.
        size: Their bytes.
        added: Bytes that the repository grew by.
        skipped: Volumes of ZFS below the dataset: they hold no files, so nothing of them is in it.
    """

    run: str
    started_at: datetime
    ended_at: datetime | None = None
    step: str = ""
    reason: str = ""
    snapshot: str = ""
    dump: str = ""
    files: Count = 0
    size: Count = 0
    added: Count = 0
    skipped: tuple[str, ...] = ()


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """How far a repository has been read for damage.

    Attributes:
        part: Read last, from 1.
        whole_at: When every part had been read.
        at: When it was last read, or tried.
        reason: Why the last check proved nothing; empty when it did.
        damaged: Whether damage was found, and not everything has been read without any since.
    """

    part: Count = 0
    whole_at: datetime | None = None
    at: datetime | None = None
    reason: str = ""
    damaged: bool = False


class Drill(msgspec.Struct, frozen=True, kw_only=True):
    """A restore into nowhere, and what came of the comparison.

    Attributes:
        run: Whose snapshots were restored.
        ended_at: None while it runs, and for ever when it was killed.
        step: The last that it began.
        reason: Why it proved nothing; empty when it did.
        files: Restored as they were backed up.
        compared: Of them, byte by byte with the source.
        changed: Of them, not comparable since the source changed after.
        tables: Restored with the same rows.
        rows: In them.
    """

    run: str
    started_at: datetime
    ended_at: datetime | None = None
    step: str = ""
    reason: str = ""
    files: Count = 0
    compared: Count = 0
    changed: Count = 0
    tables: Count = 0
    rows: Count = 0


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent does at the moment.

    Attributes:
        done: Of `total`, in bytes or steps; 0 of 0 when it is not known.
    """

    job: str
    what: What
    step: str
    done: Count = 0
    total: Count = 0


class JobStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a job stands.

    Attributes:
        state: `good`; `never`: none was ever complete; `stale`: the newest complete one is too old;
            `failing`: the last attempt was not complete, or the last drill proved nothing.
        detail: Why, in words.
        age_s: Of the newest complete one.
        drill_age_s: Of the newest drill that proved the backup.
    """

    job: str
    state: Literal["good", "never", "stale", "failing"]
    detail: str
    every_s: float
    age_s: float | None = None
    drill_age_s: float | None = None
    attempt: Attempt | None = None
    success: Attempt | None = None
    failures: Count = 0
    read: Read = Read()
    parts: Count = 0
    drill: Drill | None = None


class BackupStatusRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Asks how all jobs stand."""


class BackupStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How all jobs stand.

    Attributes:
        repository: Where backups go.
        password_file: What opens it.
        same_disk: Whether they lie on the disk that they should save.
        problem: Why nothing can be backed up; empty when it can.
    """

    repository: str
    password_file: str
    same_disk: bool
    jobs: tuple[JobStatus, ...]
    work: Work | None = None
    problem: str = ""


class BackupRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Run a job now, drill it, or check its repository: it is told by the status how that goes."""

    job: Name
    what: What = "backup"


class BackupAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """It is next.

    Attributes:
        asked_at: What begins later was asked for.
    """

    job: str
    asked_at: datetime


class SnapshotsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for the snapshots of a job."""

    job: Name


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One in the repository.

    Attributes:
        kind: Of the files, or of the database.
        complete: Whether it counts: everything was read.
        paths: That it holds.
    """

    id: str
    at: datetime
    run: str
    kind: Literal["files", "database"]
    host: str
    complete: bool
    size: Count = 0
    paths: tuple[str, ...] = ()


class Snapshots(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first."""

    snapshots: tuple[Snapshot, ...]
