"""Living in the host world: a reading at every interval, and what the mind makes of it is done."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import anyio
from emily_bus import Bus, Subscription
from emily_contracts.topics import OUTBOUND_DECISION
from emily_runtime.logs import get_logger

from emily_world.emission import Step, say
from emily_world.host import MODALITY, HostState, act, host_name, read_host, sense
from emily_world.settings import WorldSettings

_log = get_logger(__name__)


class Feeling:
    """One run of the host world; `state` can be read at any time."""

    def __init__(self, settings: WorldSettings, bus: Bus) -> None:
        self._settings = settings
        self._bus = bus
        self.subject = settings.run or host_name()
        self.state = HostState()
        self._answered = anyio.Event()

    async def run(self, stopping: anyio.Event) -> None:
        """Feel the host `ticks` times, or until told to stop."""
        async with (
            self._bus.subscribe(OUTBOUND_DECISION) as decisions,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(self._feel, stopping, decisions)
            async for decision in decisions:
                if (decision.modality, decision.subject) != (MODALITY, self.subject):
                    continue
                self._answered.set()
                await self._go_on(act(self.state, decision))
                if decision.act.kind == "alert":
                    _log.warning("alert", subject=self.subject, reason=decision.reason)

    async def _feel(self, stopping: anyio.Event, decisions: Subscription) -> None:
        while not stopping.is_set():
            readings = await anyio.to_thread.run_sync(read_host)
            felt = sense(
                self.state,
                readings,
                subject=self.subject,
                at=datetime.now(UTC),
                randomness=secrets.token_bytes(10),
            )
            self._answered = anyio.Event()
            await self._go_on(felt)
            if self.state.tick == self._settings.ticks:
                break
            with anyio.move_on_after(self._settings.interval_s * self.state.slowness):
                await stopping.wait()
        with anyio.move_on_after(self._settings.answer_timeout_s):
            await self._answered.wait()
        decisions.close()

    async def _go_on(self, step: Step[HostState]) -> None:
        self.state, emissions = step
        await say(self._bus, emissions)
