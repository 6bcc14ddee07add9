"""How a job stands, told from its record and the time."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from emily_contracts.backups import Drill, JobStatus, Work

from emily_backup_agent.plan import Job
from emily_backup_agent.record import JobRecord

LATE = 2.0
"""So many intervals after the last complete one, a backup is stale."""
LEEWAY_S = 600.0

type State = Literal["good", "never", "stale", "failing"]


def standing(name: str, job: Job, record: JobRecord, now: datetime, work: Work | None) -> JobStatus:
    """How a job stands; an attempt that neither ended nor runs was killed."""
    state, detail = _judged(job, record, now, running=work is not None and work.job == name)
    success, drilled = record.success, record.drilled
    return JobStatus(
        job=name,
        state=state,
        detail=detail,
        every_s=job.every_s,
        age_s=None if success is None else age_s(success.ended_at, now),
        drill_age_s=None if drilled is None else age_s(drilled.ended_at, now),
        attempt=record.attempt,
        success=success,
        failures=record.failures,
        read=record.read,
        parts=job.parts,
        drill=record.drill,
    )


def age_s(ended_at: datetime | None, now: datetime) -> float | None:
    """Since then; none when it did not end, or ends after now: then the clock jumped."""
    return None if ended_at is None or ended_at > now else (now - ended_at).total_seconds()


def _judged(job: Job, record: JobRecord, now: datetime, *, running: bool) -> tuple[State, str]:
    attempt, success = record.attempt, record.success
    failed = attempt is not None and attempt != success and not (running and attempt.ended_at is None)
    reason = "" if attempt is None else attempt.reason or f"it was killed at the step {attempt.step!r}"
    if success is None:
        return "never", f"none was ever complete: {reason}" if failed else "none was ever complete"
    if record.read.damaged:
        return "failing", record.read.reason
    age = age_s(success.ended_at, now)
    if age is None:
        return "stale", "the newest one ended in the future: the clock jumped"
    if failed:
        return "failing", f"{record.failures} in a row: {reason}"
    if age > LATE * job.every_s + LEEWAY_S:
        return "stale", f"the newest one is {age:.0f} s old"
    unproved = _unproved(record.drill, running=running)
    return ("failing", unproved) if unproved else ("good", "")


def _unproved(drill: Drill | None, *, running: bool) -> str:
    """Why the last drill proved nothing; empty when it did, or when there was none yet."""
    if drill is None:
        return ""
    if drill.reason:
        return f"the last drill proved nothing: {drill.reason}"
    killed = drill.ended_at is None and not running
    return f"the last drill was killed at the step {drill.step!r}" if killed else ""
