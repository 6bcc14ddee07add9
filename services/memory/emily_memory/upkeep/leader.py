"""Behind the scenes of a database, the leader of its memories drains, embeds, counts and forgets."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from datetime import UTC, datetime

import anyio
import psycopg
from emily_contracts.upkeeping import Tidying
from emily_postgres import Connection
from emily_runtime.logs import get_logger
from psycopg import sql
from psycopg.errors import UndefinedTable
from psycopg_pool import PoolTimeout

from emily_memory.embedding.choose import choose
from emily_memory.embedding.errors import EmbedderDown
from emily_memory.errors import MemoryRefused
from emily_memory.memory import Memory
from emily_memory.metrics import COUNTED
from emily_memory.store import spaces
from emily_memory.store.word_counts import count_words, index_words
from emily_memory.upkeep import reembedding
from emily_memory.upkeep.embedders import Embedders
from emily_memory.upkeep.forgetting import Policy, tidy_some
from emily_memory.upkeep.locking import locked
from emily_memory.upkeep.tiering import drain, embed_waiting

REST_S = 0.25
AFTER_FAILURE_S = 2.0
GAUGED_EVERY_S = 2.0
TIDIED_EVERY_S = 60.0

_log = get_logger(__name__)


class Upkeep:
    """Keeps one database in order while it leads, and always writes down what its own memory noted.

    Args:
        memory: Its embedder is swapped when another space answers.
        embedders: Where other embedders come from.
        policy: When memories are forgotten.

    Attributes:
        leads: Whether it is the one.
    """

    def __init__(
        self, memory: Memory, *, embedders: Embedders | None = None, policy: Policy | None = None
    ) -> None:
        self._memory = memory
        self._embedders = embedders or Embedders(choose)
        self._embedders.know(memory.embedder)
        self._policy = policy or Policy()
        self.leads = False
        self._gauged_at = 0.0
        self._tidy_at = 0.0

    async def run(self) -> None:
        """For ever; a failure of the database or the embedder is waited out."""
        while True:
            try:
                async with (
                    self._memory.database.writer.connection() as connection,
                    locked(connection, "upkeep") as leads,
                ):
                    self.leads = leads
                    await self._keep_in_order(connection)
                await anyio.sleep(AFTER_FAILURE_S)
            except (psycopg.OperationalError, PoolTimeout, UndefinedTable) as failure:
                _log.warning("upkeep waits for the database", reason=type(failure).__name__)
                await anyio.sleep(AFTER_FAILURE_S)
            finally:
                self.leads = False

    async def _keep_in_order(self, connection: Connection) -> None:
        """Round after round while it leads; one round otherwise."""
        while await self._turn(connection) or self.leads:  # noqa: ASYNC110
            await anyio.sleep(REST_S)

    async def _turn(self, connection: Connection) -> bool:
        """One round of all that is due; whether there may be more at once."""
        memory = self._memory
        await memory.usage.flush(connection)
        if time.monotonic() - self._gauged_at > GAUGED_EVERY_S:
            await self._gauge(connection)
            self._gauged_at = time.monotonic()
        await self._follow(connection)
        if not self.leads:
            return False
        busy = await count_words(connection) > 0
        if busy:
            await index_words(connection)
        for space in await spaces.listed(connection):
            busy |= await drain(connection, space) > 0
        busy |= await self._embed(connection)
        busy |= await self._tidy(connection)
        return busy

    async def _follow(self, connection: Connection) -> None:
        """Answer in the space that is active now."""
        active = await spaces.active(connection)
        if active is None or active == self._memory.embedder.space:
            return
        embedder = await self._embedders.of(active)
        if embedder is not None:
            _log.info("another space answers", space=active.key)
            self._memory.embedder = embedder

    async def _embed(self, connection: Connection) -> bool:
        """Embed what waits, in the space that answers and in the one that is built."""
        busy = await self._unless_down(embed_waiting(connection, self._memory.embedder)) > 0
        for space, state in (await spaces.listed(connection)).items():
            if state == "building" and (embedder := await self._embedders.of(space)) is not None:
                busy |= await self._unless_down(reembedding.advance(connection, embedder)) > 0
        return busy

    async def _unless_down(self, step: Awaitable[int]) -> int:
        """What a step gives; nothing when its embedder gives no vectors that fit."""
        try:
            return await step
        except EmbedderDown as failure:
            _log.debug("episodes wait for the embedder", reason=str(failure))
        except MemoryRefused as failure:
            _log.warning("episodes wait for an embedder that fits", reason=str(failure))
        return 0

    async def _tidy(self, connection: Connection) -> bool:
        """Forget what is due, a batch a round, and look again after a while."""
        if time.monotonic() < self._tidy_at:
            return False
        tidied = await tidy_some(connection, self._policy, datetime.now(UTC))
        if tidied == Tidying(dry_run=False):
            self._tidy_at = time.monotonic() + TIDIED_EVERY_S
            return False
        self._memory.metrics.did(tidied)
        _log.info("forgot", **{name: getattr(tidied, name) for name in COUNTED[Tidying]})
        return True

    async def _gauge(self, connection: Connection) -> None:
        memory, metrics = self._memory, self._memory.metrics
        metrics.waiting.set(memory.writer.depth)
        for space in await spaces.listed(connection):
            hot = sql.SQL("SELECT count(*) FROM {}").format(spaces.tables(space).hot)
            metrics.hot.labels(space.key).set(await _number(connection, hot))
            wanting = sql.SQL("SELECT count(*) FROM unembedded WHERE space = {}").format(
                sql.Literal(space.key)
            )
            metrics.unembedded.labels(space.key).set(await _number(connection, wanting))
        for pool, statistics in memory.database.statistics().items():
            size, free = statistics.get("pool_size", 0), statistics.get("pool_available", 0)
            metrics.pool.labels(pool, "in use").set(size - free)
            metrics.pool.labels(pool, "waiting").set(statistics.get("requests_waiting", 0))


async def _number(connection: Connection, query: sql.Composed) -> int:
    row = await (await connection.execute(query)).fetchone()
    return 0 if row is None else int(row[0])
