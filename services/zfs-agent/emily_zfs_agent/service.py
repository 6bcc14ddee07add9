"""The zfs-agent: reads the desired state, keeps it, and answers until it is stopped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial

import anyio
from emily_bus import Bus, BusCongested
from emily_contracts import uuid7
from emily_contracts.snapshots import SnapshotChanged
from emily_contracts.topics import SNAPSHOT_CHANGED
from emily_runtime import Life, Service, SettingsError
from emily_runtime.logs import get_logger

from emily_zfs_agent import desired as desired_state
from emily_zfs_agent.agent import Agent, Change
from emily_zfs_agent.board import Board
from emily_zfs_agent.commands import Commands
from emily_zfs_agent.desired import Desired
from emily_zfs_agent.desk import Desk
from emily_zfs_agent.errors import DesiredStateError
from emily_zfs_agent.metrics import Metrics
from emily_zfs_agent.reloading import Reloading
from emily_zfs_agent.replicator import Replicator
from emily_zfs_agent.settings import ZfsAgentSettings
from emily_zfs_agent.snapshot import Snapshot

_log = get_logger(__name__)

DESIRED = "desired_state"
"""The condition that what is wished for now is in force."""


class ZfsAgent(Service[ZfsAgentSettings]):
    """Takes, holds and destroys snapshots by policy."""

    name = "zfs-agent"
    settings_type = ZfsAgentSettings
    needs = ("answers", DESIRED)

    def __init__(self, settings: ZfsAgentSettings) -> None:
        super().__init__(settings)
        self._desired = self._read()

    async def main(self, life: Life) -> None:
        """Does what is due until it is stopped; idle, and ready, where nothing is wished for."""
        settings = self.settings
        board = Board(self._desired)
        metrics = Metrics(life.registry, board)
        agent = None
        work: dict[str, Callable[[float], Awaitable[None]]] = {}
        if settings.desired_file is None:
            board.idle = "no desired state: set EMILY_ZFS_AGENT_DESIRED_FILE"
            life.ready(DESIRED)
            _log.info("idle", reason=board.idle)
        else:
            commands = Commands(settings.command_timeout_s)
            agent = Agent(commands, board=board, metrics=metrics, say=partial(_say, life.bus))
            replicator = Replicator(
                agent.zfs,
                board=board,
                metrics=metrics,
                deadline_s=settings.replication_timeout_s,
                command_deadline_s=settings.command_timeout_s,
            )
            met = partial(life.ready, DESIRED)
            reloading = Reloading(settings.desired_file, board, metrics, met)
            work = {"reloading": reloading.run, "snapshots": agent.run, "replication": replicator.run}
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(Desk(agent, board, metrics).answering(life.bus))
            background = await stack.enter_async_context(anyio.create_task_group())
            for task, run in work.items():
                turns = partial(run, settings.look_every_s)
                background.start_soon(life.tasks.restarting, task, turns)
            life.ready("answers")
            await life.stopping.wait()
            background.cancel_scope.cancel()

    def _read(self) -> Desired | None:
        file = self.settings.desired_file
        if file is None:
            return None
        try:
            return desired_state.read(file)
        except DesiredStateError as failure:
            raise SettingsError(f"desired_file={file}: {failure}") from None


async def _say(bus: Bus, change: Change, snapshot: Snapshot, reason: str) -> None:
    now = datetime.now(UTC)
    identity = uuid7(now)
    message = SnapshotChanged(
        id=identity,
        at=now,
        stimulus_id=identity,
        change=change,
        snapshot=snapshot.name,
        guid=snapshot.guid,
        reason=reason,
    )
    _log.info(change, snapshot=snapshot.name, reason=reason)
    try:
        await bus.publish(SNAPSHOT_CHANGED, message)
    except BusCongested as congestion:
        _log.warning("not told; the snapshots are as they are", reason=str(congestion))
