"""What a mind lives through becomes memories: heard when it is said, and asked for when it was missed."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import anyio
import psycopg
from emily_bus import AskError, Bus, Subscription
from emily_contracts import LivedRequest, StoreRequest
from emily_contracts.topics import LIVED
from emily_runtime.logs import get_logger
from psycopg_pool import PoolTimeout

from emily_memory.errors import MemoryRefused, Overloaded, StoreUnavailable
from emily_memory.memory import Memory
from emily_memory.shadowing import Shadowing

EVERY_S = 10.0
RETRY_S = 1.0
ASK_TIMEOUT_S = 2.0

_KNOWN = (
    "SELECT id FROM episode WHERE id = ANY(%(ids)s) UNION ALL SELECT id FROM change WHERE id = ANY(%(ids)s)"
)

_log = get_logger(__name__)


class Living:
    """Keeps the experiences of one mind, each once; the mind is never slowed down by it.

    A mind says what it wants to remember and holds the newest of it. Here is asked for what came behind the
    last experience that is known to be durable: at the start, when something could not be written, and now
    and then, for a message may be lost on the way. What was erased meanwhile stays erased.

    Args:
        memory: Where they are kept.
        bus: Of the mind's colour.
        shadowing: Tells whether the colour's experiences count.
    """

    def __init__(self, memory: Memory, bus: Bus, shadowing: Shadowing) -> None:
        self._memory = memory
        self._bus = bus
        self._shadowing = shadowing
        self._missed = anyio.Event()
        self._waiting = False
        self._durable: UUID | None = None

    async def hear(self, experiences: Subscription) -> None:
        """Keep what is said, for ever."""
        async with anyio.create_task_group() as storing:
            async for request in experiences:
                if self._shadowing.keeps:
                    storing.start_soon(self._keep_heard, request)
                else:
                    self._memory.metrics.rejected.labels("shadow").inc()

    async def catch_up(self) -> None:
        """Keep what was missed, for ever."""
        while True:
            self._missed = anyio.Event()
            if not self._shadowing.answers or await self._caught_up():
                with anyio.move_on_after(EVERY_S):
                    await self._missed.wait()
            else:
                await anyio.sleep(RETRY_S)

    async def _caught_up(self) -> bool:
        """Whether nothing waits; a mind that is away is asked the next time."""
        try:
            while await self._keep_missed():
                pass
        except AskError as failure:
            _log.debug("the mind does not tell what it lived", reason=str(failure))
        except (Overloaded, StoreUnavailable) as failure:
            if not self._waiting:
                _log.warning("experiences wait in the mind", reason=str(failure))
            self._waiting = True
            return False
        if self._waiting:
            _log.info("experiences are kept again")
        self._waiting = False
        return True

    async def _keep_missed(self) -> bool:
        """Keep what is missing of the next page; whether there are more.

        Raises:
            AskError: The mind did not answer.
            Overloaded, StoreUnavailable: Not all could be kept.
        """
        page = await self._bus.ask(LIVED, LivedRequest(after=self._durable), timeout=ASK_TIMEOUT_S)
        if not page.experiences:
            return False
        missing = await self._missing(page.experiences)
        if page.cut and page.experiences[0] in missing:
            self._memory.metrics.overrun.inc()
            _log.warning("memory was away for longer than the mind holds what it lived; older is lost")
        failures: list[MemoryRefused] = []
        async with anyio.create_task_group() as storing:
            for request in missing:
                storing.start_soon(self._keep, request, failures)
        if failures:
            raise failures[0]
        self._memory.metrics.caught_up.inc(len(missing))
        self._durable = page.experiences[-1].id
        return page.more

    async def _missing(self, experiences: Sequence[StoreRequest]) -> list[StoreRequest]:
        """Those that are not on record and never were."""
        ids = [request.episode.id for request in experiences]
        try:
            async with self._memory.database.writer.connection() as connection:
                cursor = await connection.execute(_KNOWN, {"ids": ids})
                known = {identity for (identity,) in await cursor.fetchall()}
        except (psycopg.OperationalError, PoolTimeout) as failure:
            raise StoreUnavailable(f"database: {type(failure).__name__}; asked again later") from None
        return [request for request in experiences if request.episode.id not in known]

    async def _keep_heard(self, request: StoreRequest) -> None:
        failures: list[MemoryRefused] = []
        await self._keep(request, failures)
        if failures:
            self._missed.set()

    async def _keep(self, request: StoreRequest, failures: list[MemoryRefused]) -> None:
        """Keep an experience, or note why it must be tried again; one that can't be kept is given up."""
        try:
            await self._memory.store(request)
        except MemoryRefused as refusal:
            self._memory.metrics.rejected.labels(type(refusal).__name__.lower()).inc()
            if isinstance(refusal, (Overloaded, StoreUnavailable)):
                failures.append(refusal)
            else:
                _log.warning("experience not kept", reason=str(refusal))
