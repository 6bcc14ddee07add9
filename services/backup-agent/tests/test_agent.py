"""What the agent does next, and what it answers on the bus."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import msgspec
import pytest
from emily_backup_agent.agent import Agent
from emily_backup_agent.errors import BackupError
from emily_backup_agent.plan import Plan
from emily_backup_agent.record import Book, JobRecord
from emily_backup_agent.testing import JOB
from emily_bus import Bus, BusSettings, ErrorReply, NoResponder
from emily_bus.testing import router
from emily_contracts.backups import (
    Attempt,
    BackupRequest,
    BackupStatus,
    BackupStatusRequest,
    Drill,
    Read,
    SnapshotsRequest,
)
from emily_contracts.topics import BACK_UP, BACKUP_SNAPSHOTS, BACKUPS

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture
def agent(plan: Plan, tmp_path: Path) -> Agent:
    return Agent(plan, tmp_path / "agent", program=None, database=lambda: None, clock=lambda: NOW)


def recorded(tmp_path: Path, record: JobRecord) -> None:
    Book(tmp_path / "agent" / "records.json").keep(JOB, record)


def attempt(ago: timedelta, **changes: Any) -> Attempt:
    return Attempt(run="r", started_at=NOW - ago, ended_at=NOW - ago, **changes)


def test_what_somebody_asked_for_comes_first_and_twice_is_once(agent: Agent) -> None:
    agent.ask(JOB, "drill")
    agent.ask(JOB, "drill")
    assert agent.next(overdue=False) == (JOB, "drill")
    assert agent.next(overdue=False) is None
    assert agent.next(overdue=True) == (JOB, "backup")
    with pytest.raises(BackupError, match="there is no 'other'; there are emily"):
        agent.ask("other", "backup")


def test_drill_follows_the_first_backup_and_is_repeated_soon_where_it_proved_nothing(
    agent: Agent, tmp_path: Path
) -> None:
    fresh = attempt(timedelta(minutes=5))
    complete = JobRecord().completed(fresh, Read())
    recorded(tmp_path, complete)
    assert agent.next(overdue=True) == (JOB, "drill")
    proved = Drill(run="r", started_at=NOW - timedelta(days=6), ended_at=NOW)
    recorded(tmp_path, complete.proved(proved))
    assert agent.next(overdue=True) is None
    failed = Drill(run="r", started_at=NOW - timedelta(hours=2), ended_at=NOW, reason="differs")
    recorded(tmp_path, JobRecord(attempt=fresh, success=fresh, drill=failed, drilled=proved))
    assert agent.next(overdue=True) == (JOB, "drill")


def test_backup_is_due_again_after_its_interval(agent: Agent, tmp_path: Path) -> None:
    old = attempt(timedelta(minutes=61))
    recorded(tmp_path, JobRecord().completed(old, Read()))
    assert agent.next(overdue=True) == (JOB, "backup")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with router() as own:
        yield own


@pytest.mark.anyio
async def test_process_answers_on_the_bus_and_ends_what_runs_when_it_is_stopped(
    endpoint: str, program: Path, tmp_path: Path
) -> None:
    async with started(endpoint, program, tmp_path) as (process, bus):
        status = await answered(bus)
        assert [(job.job, job.state) for job in status.jobs] == [("emily", "never")]
        assert (status.problem, status.same_disk) == ("", True)
        assert Path(status.password_file).stat().st_mode & 0o777 == 0o600
        with pytest.raises(ErrorReply, match="there is no 'other'"):
            await bus.ask(BACK_UP, BackupRequest(job="other"), timeout=10)
        with pytest.raises(ErrorReply, match="there is no repository"):
            await bus.ask(BACKUP_SNAPSHOTS, SnapshotsRequest(job="emily"), timeout=10)
        asking = partial(asked, endpoint, tmp_path)
        known = await asking("status")
        assert (known.returncode, msgspec.json.decode(known.stdout, type=BackupStatus)) == (6, status)
        refused = await asking("backup", "other")
        assert (refused.returncode, b"there is no 'other'" in refused.stderr) == (1, True)
        assert (await asking("drill")).returncode == 2
        assert (await asking("backup", "emily")).returncode == 0
        with anyio.fail_after(20):
            while (await answered(bus)).work is None:
                await anyio.sleep(0.02)
        process.terminate()
        with anyio.fail_after(20):
            assert await process.wait() == 0
    assert Book(tmp_path / "backup" / "records.json").of("emily").success is None


async def asked(endpoint: str, state_dir: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    environment = {
        "EMILY_BACKUP_AGENT_BUS_ENDPOINT": endpoint,
        "EMILY_BACKUP_AGENT_STATE_DIR": str(state_dir),
    }
    command = [sys.executable, "-m", "emily_backup_agent.asking", *words]
    return await anyio.run_process(command, check=False, env=environment)


@asynccontextmanager
async def started(
    endpoint: str, program: Path, state_dir: Path
) -> AsyncIterator[tuple[anyio.abc.Process, Bus]]:
    environment = {
        "EMILY_BACKUP_AGENT_BUS_ENDPOINT": endpoint,
        "EMILY_BACKUP_AGENT_STATE_DIR": str(state_dir),
        "EMILY_BACKUP_AGENT_RESTIC": str(program),
    }
    command = [sys.executable, "-m", "emily_backup_agent"]
    async with (
        await anyio.open_process(command, stdin=None, stdout=None, stderr=None, env=environment) as process,
        Bus.open(BusSettings(endpoint=endpoint), namespace="emily", name="test") as bus,
    ):
        try:
            yield process, bus
        finally:
            if process.returncode is None:
                process.kill()


async def answered(bus: Bus) -> BackupStatus:
    with anyio.fail_after(20):
        while True:
            try:
                return await bus.ask(BACKUPS, BackupStatusRequest(), timeout=5)
            except NoResponder:
                await anyio.sleep(0.05)
