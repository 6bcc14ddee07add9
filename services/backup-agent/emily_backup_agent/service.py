"""The backup-agent: backs up and drills what is due, says how that stands, and does it when somebody asks."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial

import anyio
import anyio.from_thread
import anyio.to_thread
from emily_bus import AskRefused
from emily_contracts.backups import (
    BackupAccepted,
    BackupRequest,
    BackupStatus,
    BackupStatusRequest,
    Snapshots,
    SnapshotsRequest,
    What,
)
from emily_contracts.topics import BACK_UP, BACKUP_SNAPSHOTS, BACKUPS
from emily_runtime import DatabaseAddress, Life, Service, SettingsError
from emily_runtime.logs import get_logger

from emily_backup_agent import own
from emily_backup_agent.agent import Agent
from emily_backup_agent.errors import BackupError, PlanInvalid, Stopped
from emily_backup_agent.metrics import Metrics
from emily_backup_agent.plan import Plan, read
from emily_backup_agent.settings import BackupAgentSettings
from emily_backup_agent.storage import ZfsAgent

LOOK_S = 0.5
"""Between two looks at what is due or asked for."""

_log = get_logger(__name__)


class BackupAgent(Service[BackupAgentSettings]):
    """Keeps backups, and proves that they can be restored."""

    name = "backup-agent"
    settings_type = BackupAgentSettings
    needs = ("plan",)

    async def main(self, life: Life) -> None:
        """Work until it is stopped; what runs then is ended, and counts for nothing."""
        settings = self.settings
        address = DatabaseAddress(settings)
        database_url = await address()
        agent = Agent(
            self._plan(database=database_url is not None),
            settings.folder,
            program=settings.restic,
            database=partial(anyio.from_thread.run, address),
            clock=lambda: datetime.now(UTC),
            storage=ZfsAgent(life.bus),
        )
        metrics = Metrics(life.registry, agent.status)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(life.bus.serve(BACKUPS, partial(_status, agent)))
            await stack.enter_async_context(life.bus.serve(BACK_UP, partial(_accept, agent)))
            await stack.enter_async_context(life.bus.serve(BACKUP_SNAPSHOTS, partial(_list, agent)))
            background = await stack.enter_async_context(anyio.create_task_group())
            background.start_soon(_stop, agent, life)
            life.ready("plan")
            problem = agent.status().problem
            if problem:
                _log.warning("no backups", reason=problem)
            await self._work(agent, metrics, life)
            background.cancel_scope.cancel()

    async def _work(self, agent: Agent, metrics: Metrics, life: Life) -> None:
        begin = anyio.current_time() + self.settings.first_after_s
        while not life.stopping.is_set():
            todo = agent.next(overdue=anyio.current_time() >= begin)
            if todo is None:
                with anyio.move_on_after(LOOK_S):
                    await life.stopping.wait()
                continue
            job, what = todo
            result = await anyio.to_thread.run_sync(_done, agent, job, what)
            life.handled += 1
            metrics.runs.labels(job, what, result).inc()

    def _plan(self, *, database: bool) -> Plan:
        settings = self.settings
        try:
            if settings.plan_file is not None:
                return read(settings.plan_file)
            plan = own.plan_of(settings.state_dir, settings.folder, database=database)
            if own.make_password(plan.repository):
                _log.warning(
                    "made the password of the backups: without it nothing is restored, keep a copy elsewhere",
                    file=str(plan.repository.password_file),
                )
        except PlanInvalid as wrong:
            raise SettingsError(f"plan_file={wrong}") from None
        except (BackupError, OSError) as failure:
            raise SettingsError(f"state_dir={settings.state_dir}: {failure}") from None
        return plan


def _done(agent: Agent, job: str, what: What) -> str:
    """Do it; what became of it."""
    try:
        agent.do(job, what)
    except Stopped:
        return "stopped"
    except (BackupError, OSError) as failure:
        _log.error(f"{what} failed", job=job, reason=str(failure))
        return "failed"
    _log.info(f"{what} done", job=job)
    return "complete"


async def _stop(agent: Agent, life: Life) -> None:
    await life.stopping.wait()
    agent.stopping.set()


async def _status(agent: Agent, _: BackupStatusRequest) -> BackupStatus:
    return await anyio.to_thread.run_sync(agent.status)


async def _accept(agent: Agent, request: BackupRequest) -> BackupAccepted:
    try:
        return BackupAccepted(job=request.job, asked_at=agent.ask(request.job, request.what))
    except BackupError as refusal:
        raise AskRefused(str(refusal)) from None


async def _list(agent: Agent, request: SnapshotsRequest) -> Snapshots:
    try:
        return Snapshots(snapshots=await anyio.to_thread.run_sync(agent.snapshots, request.job))
    except BackupError as refusal:
        raise AskRefused(str(refusal)) from None
