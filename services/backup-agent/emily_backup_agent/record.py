"""What became of every job, kept on disk: a killed run is known of, and never taken for a good one."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import msgspec
from emily_contracts.backups import Attempt, Drill, Read
from msgspec.structs import replace


class JobRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One job.

    Attributes:
        attempt: The last one, whatever became of it.
        success: The last one that was complete.
        failures: Since that one.
        read: How far the repository has been read.
        drill: The last one, whatever became of it.
        drilled: The last one that proved the backup.
    """

    attempt: Attempt | None = None
    success: Attempt | None = None
    failures: int = 0
    read: Read = Read()
    drill: Drill | None = None
    drilled: Drill | None = None

    def begun(self, attempt: Attempt) -> JobRecord:
        """With a new attempt, which counts as a failure until it is complete."""
        return replace(self, attempt=attempt, failures=self.failures + 1)

    def completed(self, attempt: Attempt, read: Read) -> JobRecord:
        """With an attempt that is complete."""
        return replace(self, attempt=attempt, success=attempt, failures=0, read=read)

    def proved(self, drill: Drill) -> JobRecord:
        """With a drill that proved the backup."""
        return replace(self, drill=drill, drilled=drill)


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """All jobs.

    Attributes:
        repository: That was opened here before: when it is gone, it is not made anew.
    """

    repository: str = ""
    jobs: dict[str, JobRecord] = {}


class Book:
    """The records on disk.

    Args:
        file: Of the records; one that is damaged is put aside, and nothing is taken as done.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.records = self._read()

    def of(self, job: str) -> JobRecord:
        """The record of a job."""
        return self.records.jobs.get(job, JobRecord())

    def keep(self, job: str, record: JobRecord) -> None:
        """Write the record of a job.

        Raises:
            OSError: It can't be written.
        """
        self._write(replace(self.records, jobs=self.records.jobs | {job: record}))

    def opened(self, repository: str) -> None:
        """Note that a repository was there.

        Raises:
            OSError: It can't be written.
        """
        if repository != self.records.repository:
            self._write(replace(self.records, repository=repository))

    def _read(self) -> Records:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Records)
        except FileNotFoundError:
            return Records()
        except msgspec.DecodeError:
            self._file.replace(self._file.with_suffix(".damaged"))
            return Records()

    def _write(self, records: Records) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self._file.with_suffix(".new")
        with new.open("wb") as file:
            file.write(msgspec.json.encode(records))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._file)
        self.records = records


def with_part(read: Read, part: int, *, of: int, at: datetime) -> Read:
    """After one more part was read without damage; damage stays until everything was read again."""
    if part == of:
        return Read(part=part, whole_at=at, at=at)
    return replace(read, part=part, at=at, reason=read.reason if read.damaged else "")


def without_proof(read: Read, reason: str, *, damaged: bool, at: datetime) -> Read:
    """After a check that proved nothing; where there is damage, reading begins anew."""
    part = 0 if damaged else read.part
    return replace(read, part=part, at=at, reason=reason, damaged=damaged or read.damaged)


def began(last: Attempt | Drill | None) -> datetime | None:
    """When it did; none when there was none."""
    return None if last is None else last.started_at


def is_due(
    last: datetime | None, every_s: float, now: datetime, *, failures: int = 0, first_retry_s: float = 60.0
) -> bool:
    """Whether something that ran last at a time is due again.

    After failures it is retried sooner: after a minute, two, four and so on, up to the interval. A last time
    in the future says that the clock jumped: what ran then can't be dated, so it is due.
    """
    if last is None or last > now:
        return True
    pause_s = every_s if not failures else min(every_s, first_retry_s * 2 ** min(failures - 1, 20))
    return (now - last).total_seconds() >= pause_s
