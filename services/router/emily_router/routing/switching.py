"""Changes which colour answers whom: one change at a time, the minds first, all of it or nothing."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import anyio
from emily_bus import BusCongested
from emily_contracts.envelope import uuid7
from emily_contracts.routing import ChangeTraffic, RoutingTable, Standing, StandingRequest
from emily_contracts.topics import STANDING
from emily_runtime.logs import get_logger

from emily_router.errors import Outdated, RecordAway, Unacceptable
from emily_router.metrics import Metrics
from emily_router.routing.keeping import Keeper
from emily_router.routing.minds import move
from emily_router.routing.moves import moves
from emily_router.routing.switchboard import Switchboard

RETRY_S = 1.0

_log = get_logger(__name__)


class Switching:
    """Changes the table of a switchboard.

    Args:
        board: That is switched.
        keeper: Of the table.
        metrics: Counts changes, and how long stimuli waited for them.
    """

    def __init__(self, board: Switchboard, keeper: Keeper, metrics: Metrics) -> None:
        self._board = board
        self._keeper = keeper
        self._metrics = metrics
        self._one_at_a_time = anyio.Lock()
        metrics.table_version.set(board.table.version)

    async def change(self, order: ChangeTraffic, *, author: str) -> RoutingTable:
        """Let the ordered table hold; it does when this returns.

        Raises:
            Unacceptable: It names a colour that there is not; the message names the field.
            Outdated: Another table holds than the one that was looked at.
            HandoverFailed: The minds can't move; nothing was changed.
            RecordAway: The database of the table can't be asked.
            TableUnwritable: The table can't be kept.
        """
        self._require_colours(order)
        async with self._one_at_a_time:
            await self._follow_record()
            if self._keeper.behind:
                raise RecordAway(f"{self._keeper.behind}; nothing was changed")
            if order.version != self._board.table.version:
                raise Outdated(order.version, f"version {self._board.table.version} holds by now")
            table = RoutingTable(
                version=order.version + 1,
                active=order.active,
                canary=order.canary,
                weight=order.weight,
                shadow=order.shadow,
            )

            async def keep() -> None:
                await self._keeper.replace(table, author=author, reason=order.reason)

            try:
                await self._switch(table, with_state=order.handover == "state", keep=keep)
            except BaseException:
                self._metrics.changes.labels("refused").inc()
                raise
            self._metrics.changes.labels("done").inc()
            _log.info("traffic changed", table=str(table), author=author, reason=order.reason)
            return table

    async def keep_up(self) -> None:
        """Follow the database when it comes back, for ever."""
        while True:
            await anyio.sleep(RETRY_S)
            if self._keeper.behind:
                async with self._one_at_a_time:
                    await self._follow_record()

    async def say_standings(self) -> None:
        """Tell every colour what it is."""
        for lane in self._board.lanes.values():
            try:
                await lane.bus.publish(STANDING, self._standing(lane.name))
            except BusCongested as congestion:  # it asks by itself when it starts
                _log.warning("a colour was not told what it is", colour=lane.name, reason=str(congestion))

    def standing_of(self, colour: str) -> Callable[[StandingRequest], Awaitable[Standing]]:
        """Answers a colour that asks what it is."""

        async def answer(_: StandingRequest) -> Standing:
            return self._standing(colour)

        return answer

    async def _follow_record(self) -> None:
        """Let the table on record hold: another router changed it, or a change came to an unknown end."""
        recorded = await self._keeper.load()
        if recorded == self._board.table:
            return
        _log.warning("another routing table is on record", table=str(recorded), held=str(self._board.table))

        async def kept() -> None:
            return

        await self._switch(recorded, with_state=True, keep=kept)

    async def _switch(
        self, table: RoutingTable, *, with_state: bool, keep: Callable[[], Awaitable[None]]
    ) -> None:
        board = self._board
        needed = moves(board.table, table) if with_state else ()
        began = time.monotonic()
        async with board.held(until_idle=with_state):
            for cold_start in await move(board.lanes, needed) if needed else ():
                _log.warning("a mind starts anew", reason=cold_start)
            with anyio.CancelScope(shield=True):
                await keep()
                board.install(table)
            await self.say_standings()
        self._metrics.waited.observe(time.monotonic() - began)
        self._metrics.table_version.set(table.version)

    def _standing(self, colour: str) -> Standing:
        at, table = datetime.now(UTC), self._board.table
        identity = uuid7(at)
        return Standing(
            id=identity, at=at, stimulus_id=identity, role=table.role_of(colour), version=table.version
        )

    def _require_colours(self, order: ChangeTraffic) -> None:
        for field in ("active", "canary", "shadow"):
            colour = getattr(order, field)
            if colour is not None and colour not in self._board.lanes:
                known = ", ".join(sorted(self._board.lanes))
                raise Unacceptable(f"{field}: {colour!r} is no colour here; known are {known}")
