"""What a mind lives through becomes memories: heard when it is said, and asked for when it was missed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
EVERY_HEARD = 256
RETRY_S = 1.0
ASK_TIMEOUT_S = 2.0
MOST_UNKEPT = 1024

_KNOWN = (
    "SELECT id FROM episode WHERE id = ANY(%(ids)s) UNION ALL SELECT id FROM change WHERE id = ANY(%(ids)s)"
)

_log = get_logger(__name__)


class Living:
    """Keeps the experiences of one mind, each once; the mind is never slowed down by it.

    A mind says what it wants to remember, and holds it until it is told that memory has it. Here it is asked
    for what it holds: at the start, when something could not be written, after so many were heard, and now
    and then, for a message may be lost on the way. What was erased meanwhile stays erased.

    What was heard and could not be written is tried again too, for the mind may die before it is on its disk.

    Args:
        memory: Where they are kept.
        bus: Of the mind's colour.
        shadowing: Tells whether the colour's experiences count.
    """

    def __init__(self, memory: Memory, bus: Bus, shadowing: Shadowing) -> None:
        self._memory = memory
        self._bus = bus
        self._shadowing = shadowing
        self._due = anyio.Event()
        self._heard = 0
        self._unkept: dict[UUID, StoreRequest] = {}
        self._waiting = False
        self._given_up = 0

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
            self._due = anyio.Event()
            if not self._shadowing.keeps or await self._caught_up():
                with anyio.move_on_after(EVERY_S):
                    await self._due.wait()
            else:
                await anyio.sleep(RETRY_S)

    async def _caught_up(self) -> bool:
        """Whether nothing waits; a mind that is away is asked the next time."""
        try:
            await self._keep_unkept()
            await self._keep_held()
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

    async def _keep_unkept(self) -> None:
        """Keep what was heard and could not be written.

        Raises:
            Overloaded, StoreUnavailable: Not all could be kept.
        """
        waiting = tuple(self._unkept.values())
        await self._keep_missing(waiting)
        for request in waiting:
            self._unkept.pop(request.id, None)

    async def _keep_held(self) -> None:
        """Keep what the mind holds, page by page, and tell it so.

        Raises:
            AskError: The mind did not answer.
            Overloaded, StoreUnavailable: Not all could be kept.
        """
        kept: tuple[UUID, ...] = ()
        while page := await self._told(kept):
            self._memory.metrics.caught_up.inc(await self._keep_missing(page))
            kept = tuple(request.id for request in page)

    async def _told(self, kept: tuple[UUID, ...]) -> tuple[StoreRequest, ...]:
        lived = await self._bus.ask(LIVED, LivedRequest(kept=kept), timeout=ASK_TIMEOUT_S)
        if lived.given_up > self._given_up:
            _log.warning(
                "memory was away for longer than the mind holds what it lived",
                given_up=lived.given_up - self._given_up,
            )
        self._given_up = lived.given_up
        return lived.experiences

    async def _keep_missing(self, experiences: Sequence[StoreRequest]) -> int:
        """Keep those that are not on record and never were; how many.

        Raises:
            Overloaded, StoreUnavailable: Not all could be kept.
        """
        if not experiences:
            return 0
        known = await self._known(request.episode.id for request in experiences)
        missing = [request for request in experiences if request.episode.id not in known]
        failures: list[MemoryRefused] = []
        async with anyio.create_task_group() as storing:
            for request in missing:
                storing.start_soon(self._keep, request, failures)
        if failures:
            raise failures[0]
        return len(missing)

    async def _known(self, ids: Iterable[UUID]) -> set[UUID]:
        try:
            async with self._memory.database.writer.connection() as connection:
                cursor = await connection.execute(_KNOWN, {"ids": list(ids)})
                return {identity for (identity,) in await cursor.fetchall()}
        except (psycopg.OperationalError, PoolTimeout) as failure:
            raise StoreUnavailable(f"database: {type(failure).__name__}; asked again later") from None

    async def _keep_heard(self, request: StoreRequest) -> None:
        failures: list[MemoryRefused] = []
        await self._keep(request, failures)
        self._heard += 1
        if failures:
            self._unkept[request.id] = request
            if len(self._unkept) > MOST_UNKEPT:
                del self._unkept[next(iter(self._unkept))]
        if failures or not self._heard % EVERY_HEARD:
            self._due.set()

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
