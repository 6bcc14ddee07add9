"""Consolidation: near-duplicates become one memory, and old sessions are summed up.

It goes through the namespaces; each merge and each summary is a transaction of its own, and what is done is
not done again: after a kill, the next run does the rest. Of all memories of a database one consolidates at
a time.
"""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta

import anyio
import msgspec
import psycopg
from emily_contracts.upkeeping import Consolidation
from emily_postgres import Connection
from emily_runtime.logs import get_logger
from psycopg_pool import PoolTimeout

from emily_memory.embedding.embedder import Embedder
from emily_memory.errors import MemoryRefused
from emily_memory.memory import Memory
from emily_memory.store.database import Database
from emily_memory.upkeep.leader import Upkeep
from emily_memory.upkeep.locking import locked
from emily_memory.upkeep.merging import merge
from emily_memory.upkeep.summarising import summarise

WAIT_S = 5.0
"""For another consolidation to end."""

_log = get_logger(__name__)


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What is consolidated.

    Attributes:
        threshold: Least cosine of near-duplicates.
        over: A session that is summed up has more memories than this.
        older_than: And these are older than this.
        quoted: Sentences of a summary, at most.

    Raises:
        ValueError: A field is out of its bounds.
    """

    threshold: float = 0.97
    over: int = 20
    older_than: timedelta = timedelta(days=7)
    quoted: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold: {self.threshold} is not in (0, 1]")
        if self.over < 1 or self.quoted < 1:
            raise ValueError(f"over, quoted: {self.over}, {self.quoted} are not at least 1")


async def consolidate(
    database: Database,
    embedder: Embedder,
    rules: Rules,
    now: datetime,
    *,
    namespace: str | None = None,
    dry_run: bool = False,
    patience_s: float = math.inf,
) -> Consolidation:
    """What was consolidated, or in a dry run would be.

    Sessions are summed up before duplicates are merged, so that neither changes what the other finds.

    Args:
        database: Where memories are.
        embedder: Of the space that answers.
        rules: What is consolidated.
        now: The time to judge by.
        namespace: Of which; of all by default.
        dry_run: Only count.
        patience_s: Nothing is begun later; there may be more then.

    Raises:
        MemoryRefused: Another consolidation runs, and its end was waited for in vain.
    """
    async with (
        database.writer.connection() as connection,
        locked(connection, "consolidation", wait_s=WAIT_S) as alone,
    ):
        if not alone:
            raise MemoryRefused("consolidate: another consolidation runs; ask again when it is over")
        until = time.monotonic() + patience_s
        done = await _consolidated(
            connection, embedder, rules, now, namespace=namespace, dry_run=dry_run, until=until
        )
        return msgspec.structs.replace(done, more=time.monotonic() >= until)


async def _consolidated(
    connection: Connection,
    embedder: Embedder,
    rules: Rules,
    now: datetime,
    *,
    namespace: str | None,
    dry_run: bool,
    until: float,
) -> Consolidation:
    done = Consolidation(dry_run=dry_run)
    for each in [namespace] if namespace is not None else await _namespaces(connection):
        summed = await summarise(
            connection,
            embedder,
            each,
            now,
            over=rules.over,
            older_than=rules.older_than,
            quoted=rules.quoted,
            dry_run=dry_run,
            until=until,
        )
        merged = await merge(
            connection,
            embedder.space,
            each,
            now,
            threshold=rules.threshold,
            dry_run=dry_run,
            until=until,
        )
        done = msgspec.structs.replace(
            done,
            compared=done.compared + merged.compared,
            merged=done.merged + merged.merged,
            summaries=done.summaries + summed.summaries,
            summed_up=done.summed_up + summed.summed_up,
            deaf=done.deaf + summed.deaf,
        )
    return done


class Consolidating:
    """Consolidates again and again while its process leads.

    Args:
        memory: Of which.
        upkeep: That says who leads.
        hours: Between two consolidations.
    """

    def __init__(self, memory: Memory, upkeep: Upkeep, *, hours: float) -> None:
        self._memory = memory
        self._upkeep = upkeep
        self._every_s = 3600 * hours

    async def run(self) -> None:
        """For ever; a failure of the database is waited out."""
        while True:
            await anyio.sleep(self._every_s)
            if not self._upkeep.leads:
                continue
            memory = self._memory
            try:
                done = await consolidate(memory.database, memory.embedder, Rules(), datetime.now(UTC))
            except (psycopg.OperationalError, PoolTimeout) as failure:
                _log.warning("consolidation waits for the database", reason=type(failure).__name__)
                continue
            except MemoryRefused as refusal:
                _log.warning("not consolidated", reason=str(refusal))
                continue
            memory.metrics.did(done)
            _log.info("consolidated", merged=done.merged, summaries=done.summaries, deaf=done.deaf)


async def _namespaces(connection: Connection) -> list[str]:
    cursor = await connection.execute(
        "SELECT DISTINCT namespace FROM episode WHERE archived_at IS NULL ORDER BY namespace"
    )
    return [name for (name,) in await cursor.fetchall()]
