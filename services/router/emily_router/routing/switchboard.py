"""Which colour answers whom, and the ways there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import anyio
from emily_bus import BusCongested
from emily_bus.trace import traceparent
from emily_contracts.outcome import Outcome
from emily_contracts.routing import RoutingTable, route
from emily_contracts.stimulus import Stimulus
from emily_contracts.topics import OUTCOME, STIMULUS
from emily_runtime.logs import get_logger

from emily_router.errors import GateFull, HandoverFailed
from emily_router.routing.comparing import Comparison
from emily_router.routing.gate import Gate, Held
from emily_router.routing.lane import Lane

IDLE_S = 0.5
RELEASE_S = 1.0
"""For what waited at the gate, before a colour that takes nothing makes the others wait no longer."""

_log = get_logger(__name__)


class Switchboard:
    """Carries stimuli and outcomes to the colour of their subject, and copies to the shadow.

    Args:
        table: That holds.
        lanes: To the colours, by name.
        gate: Where messages wait while minds move.
        on_carry: Told of each stimulus and its colour before it is on its way.

    Attributes:
        table: That holds now.
        comparison: Of the shadow's answers; none without a shadow.
    """

    def __init__(
        self,
        table: RoutingTable,
        lanes: Mapping[str, Lane],
        gate: Gate,
        on_carry: Callable[[Stimulus, str], None],
    ) -> None:
        self.table = table
        self.lanes = lanes
        self.comparison = None if table.shadow is None else Comparison(table.shadow)
        self._gate = gate
        self._on_carry = on_carry

    def colour_of(self, subject: str) -> str:
        """The colour that answers a subject."""
        return route(self.table, subject)

    async def send(self, message: Stimulus | Outcome) -> None:
        """Send a message to its colour, or keep it at the gate.

        Raises:
            BusCongested: The colour takes nothing.
            GateFull: Too much waits already.
        """
        if not self._gate.closed:
            await self._carry(message)
        elif not self._gate.hold(message, traceparent.get()):
            raise GateFull("minds move just now, and too much waits for them already")

    def install(self, table: RoutingTable) -> None:
        """Let a table hold."""
        if table.shadow != self.table.shadow:
            self.comparison = None if table.shadow is None else Comparison(table.shadow)
        self.table = table

    @asynccontextmanager
    async def held(self, *, until_idle: bool) -> AsyncIterator[None]:
        """Nothing sets out to any colour inside the block; what waited for its end follows in order.

        Args:
            until_idle: Begin the block when nothing is on its way any more.

        Raises:
            HandoverFailed: A colour does not take what is on its way.
        """
        self._gate.closed = True
        try:
            if until_idle:
                await self._idle()
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._release()

    async def _idle(self) -> None:
        for lane in self.lanes.values():
            with anyio.move_on_after(IDLE_S) as waiting:
                await lane.idle()
            if waiting.cancelled_caught:
                raise HandoverFailed(f"{lane.name} does not take what is sent to it; nothing was changed")

    async def _release(self) -> None:
        token = traceparent.set(None)
        try:
            with anyio.move_on_after(RELEASE_S):
                while (held := self._gate.first()) is not None:
                    await self._follow(held)
                    self._gate.let_go(held)
        finally:
            traceparent.reset(token)
            self._gate.closed = False
        while (held := self._gate.first()) is not None:  # the ledger tries stimuli again by itself
            self._gate.let_go(held)
            _log.warning("not forwarded after a switch", stimulus_id=str(held.message.stimulus_id))

    async def _follow(self, held: Held) -> None:
        traceparent.set(held.trace)
        try:
            await self._carry(held.message)
        except BusCongested as congestion:
            _log.warning(
                "not forwarded after a switch",
                stimulus_id=str(held.message.stimulus_id),
                reason=str(congestion),
            )

    async def _carry(self, message: Stimulus | Outcome) -> None:
        colour = self.colour_of(message.subject)
        topic = OUTCOME if isinstance(message, Outcome) else STIMULUS
        if isinstance(message, Stimulus):
            self._on_carry(message, colour)
        await self.lanes[colour].forward(topic, message)
        shadow = self.table.shadow
        if shadow is not None and colour == self.table.active:
            self.lanes[shadow].copy(topic, message)
