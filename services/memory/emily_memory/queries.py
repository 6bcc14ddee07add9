"""Which query on the bus is answered by what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from emily_contracts import Recall, RecallRequest
from emily_contracts.curation import EraseRequest, Erasure
from emily_contracts.topic import AnyQuery
from emily_contracts.topics import (
    CONSOLIDATE,
    DROP_RETIRED,
    EDIT_MEMORY,
    ERASE_ACTOR,
    FORGET_MEMORY,
    LIST_MEMORIES,
    MEMORY_HISTORY,
    MEMORY_STATS,
    RECALL,
    REEMBED,
    SHOW_MEMORY,
    STORE,
    SUPERSEDE_MEMORY,
    TIDY,
)
from emily_contracts.upkeeping import (
    ConsolidateRequest,
    Consolidation,
    DropRetired,
    DropRetiredRequest,
    Reembedding,
    ReembedRequest,
    Tidying,
    TidyRequest,
)

from emily_memory.curation.correcting import edit, forget, supersede
from emily_memory.curation.counting import stats
from emily_memory.curation.erasing import erase
from emily_memory.curation.reading import history, list_memories, show
from emily_memory.memory import Memory
from emily_memory.upkeep import reembedding
from emily_memory.upkeep.consolidation import Rules, consolidate
from emily_memory.upkeep.embedders import Embedders
from emily_memory.upkeep.forgetting import Policy, tidy
from emily_memory.upkeep.probing import Probe

PATIENCE_S = 15.0
"""After which work in batches answers how far it came; the bus cuts a handler off after twice as long."""

type Answer = Callable[[Any], Awaitable[Any]]


def of_memory(memory: Memory, probe: Probe) -> dict[AnyQuery, Answer]:
    """What a mind asks: store and recall."""

    async def recall(request: RecallRequest) -> Recall:
        probe.sample(request)
        return await memory.recall(request)

    return {STORE: memory.store, RECALL: recall}


def of_curation(memory: Memory) -> dict[AnyQuery, Answer]:
    """What people ask of memories."""
    database = memory.database

    async def erased(request: EraseRequest) -> Erasure:
        done = await erase(database, request, patience_s=PATIENCE_S)
        memory.metrics.did(done)
        return done

    return {
        SHOW_MEMORY: partial(show, database),
        MEMORY_HISTORY: partial(history, database),
        LIST_MEMORIES: partial(list_memories, database),
        EDIT_MEMORY: partial(edit, database),
        SUPERSEDE_MEMORY: partial(supersede, database),
        FORGET_MEMORY: partial(forget, database),
        ERASE_ACTOR: erased,
        MEMORY_STATS: partial(stats, database),
    }


def of_upkeep(memory: Memory, embedders: Embedders, policy: Policy) -> dict[AnyQuery, Answer]:
    """What a person asks of upkeep: forget what is due, consolidate, move to another space."""
    database = memory.database

    async def tidied(request: TidyRequest) -> Tidying:
        now = datetime.now(UTC)
        done = await tidy(
            database,
            policy,
            now,
            namespace=request.namespace,
            dry_run=request.dry_run,
            patience_s=PATIENCE_S,
        )
        memory.metrics.did(done)
        return done

    async def consolidated(request: ConsolidateRequest) -> Consolidation:
        done = await consolidate(
            database,
            memory.embedder,
            Rules(),
            datetime.now(UTC),
            namespace=request.namespace,
            dry_run=request.dry_run,
            patience_s=PATIENCE_S,
        )
        memory.metrics.did(done)
        return done

    async def reembed(request: ReembedRequest) -> Reembedding:
        embedder = None if request.to is None else await embedders.of_kind(request.to)
        async with database.writer.connection() as connection:
            if embedder is not None:
                await reembedding.begin(connection, embedder.space)
            return await reembedding.progress(connection)

    async def drop_retired(_: DropRetiredRequest) -> DropRetired:
        async with database.writer.connection() as connection:
            return await reembedding.drop_retired(connection)

    return {TIDY: tidied, CONSOLIDATE: consolidated, REEMBED: reembed, DROP_RETIRED: drop_retired}
