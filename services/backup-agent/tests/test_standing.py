"""A job is good only when its newest backup is complete, fresh, and no drill says otherwise."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from emily_backup_agent.metrics import Metrics
from emily_backup_agent.plan import Job
from emily_backup_agent.record import JobRecord
from emily_backup_agent.standing import standing
from emily_contracts.backups import Attempt, BackupStatus, Drill, Read, Work
from prometheus_client import CollectorRegistry

NOW = datetime(2026, 11, 27, tzinfo=UTC)
JOB = Job(paths=(Path("/a"),), every="1h")
WORK = Work(job="one", what="backup", step="files")


def attempt(ago_s: float, *, ended: bool = True, reason: str = "") -> Attempt:
    began = NOW - timedelta(seconds=ago_s)
    return Attempt(
        run=f"{ago_s}",
        started_at=began,
        ended_at=began + timedelta(seconds=1) if ended else None,
        step="files",
        reason=reason,
    )


COMPLETE = JobRecord().begun(attempt(60)).completed(attempt(60), Read(part=1))


def drilled(*, ended: bool = True, reason: str = "") -> JobRecord:
    drill = Drill(run="60", started_at=NOW, ended_at=NOW if ended else None, step="compare", reason=reason)
    return JobRecord(attempt=COMPLETE.attempt, success=COMPLETE.success, drill=drill)


@pytest.mark.parametrize(
    ("record", "work", "state", "detail"),
    [
        (JobRecord(), None, "never", "none was ever complete"),
        (JobRecord().begun(attempt(5, reason="disk full")), None, "never", "disk full"),
        (JobRecord().begun(attempt(5, ended=False)), WORK, "never", "none was ever complete"),
        (COMPLETE, None, "good", ""),
        (COMPLETE.begun(attempt(5, ended=False)), WORK, "good", ""),
        (COMPLETE.begun(attempt(5, ended=False)), None, "failing", "killed at the step 'files'"),
        (COMPLETE.begun(attempt(5, reason="locked")), None, "failing", "1 in a row: locked"),
        (JobRecord().completed(attempt(9000), Read()), None, "stale", "8999 s old"),
        (JobRecord().completed(attempt(-9000), Read()), None, "stale", "the clock jumped"),
        (drilled(), None, "good", ""),
        (drilled(reason="bytes differ"), None, "failing", "bytes differ"),
        (drilled(ended=False), None, "failing", "drill was killed"),
        (drilled(ended=False), WORK, "good", ""),
    ],
)
def test_how_a_job_stands(record: JobRecord, work: Work | None, state: str, detail: str) -> None:
    status = standing("one", JOB, record, NOW, work)
    assert status.state == state
    assert detail in status.detail


def test_job_that_never_had_a_backup_is_infinitely_old() -> None:
    registry = CollectorRegistry()
    status = BackupStatus(
        repository="/r",
        password_file="/p",
        same_disk=False,
        jobs=(standing("one", JOB, JobRecord(), NOW, None), standing("two", JOB, COMPLETE, NOW, None)),
    )
    Metrics(registry, lambda: status)
    ages = [
        registry.get_sample_value("emily_backup_agent_age_seconds", {"job": job}) for job in ("one", "two")
    ]
    assert ages == [math.inf, 59.0]
    assert registry.get_sample_value("emily_backup_agent_state", {"job": "one", "state": "never"}) == 1
    assert registry.get_sample_value("emily_backup_agent_state", {"job": "two", "state": "never"}) == 0
