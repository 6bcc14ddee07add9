"""What a person asks of upkeep: forget what is due, consolidate, move to another space."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from emily_contracts.topic import AnyQuery
from emily_contracts.topics import CONSOLIDATE, DROP_RETIRED, REEMBED, TIDY
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

from emily_memory import reembedding
from emily_memory.consolidation import Rules, consolidate
from emily_memory.embedders import Embedders
from emily_memory.forgetting import Policy, tidy
from emily_memory.memory import Memory

type Answer = Callable[[Any], Awaitable[Any]]


def answers(memory: Memory, embedders: Embedders, policy: Policy) -> dict[AnyQuery, Answer]:
    """Who answers which query."""
    database = memory.database

    async def tidied(request: TidyRequest) -> Tidying:
        now = datetime.now(UTC)
        return await tidy(database, policy, now, namespace=request.namespace, dry_run=request.dry_run)

    async def consolidated(request: ConsolidateRequest) -> Consolidation:
        return await consolidate(
            database,
            memory.embedder,
            Rules(),
            datetime.now(UTC),
            namespace=request.namespace,
            dry_run=request.dry_run,
        )

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
