"""How much is remembered."""

from __future__ import annotations

from emily_contracts.curation import NamespaceStats, SpaceStats, Stats, StatsRequest
from emily_postgres import Connection
from psycopg import sql

from emily_memory.embedding.space import Space
from emily_memory.store import spaces
from emily_memory.store.database import Database, migrations

_NAMESPACES = (
    "SELECT namespace, count(*) FILTER (WHERE held), count(*) FILTER (WHERE archived),"
    " count(*) FILTER (WHERE held AND pinned), count(DISTINCT actor),"
    " min(occurred_at) FILTER (WHERE held), max(occurred_at) FILTER (WHERE held),"
    " sum(octet_length(content)) FROM (SELECT namespace, pinned, actor, occurred_at, content,"
    "  retracted_at IS NULL AND archived_at IS NULL AS held,"
    "  retracted_at IS NULL AND archived_at IS NOT NULL AS archived FROM episode"
    "  WHERE %(namespace)s::text IS NULL OR namespace = %(namespace)s) e"
    " GROUP BY namespace ORDER BY namespace"
)


async def stats(database: Database, request: StatsRequest) -> Stats:
    """Counts of one namespace or of all, and of every embedding space.

    Memories are those that are held, `bytes` those of the text of every version.
    """
    if request.namespace is None:
        async with database.writer.connection() as connection:
            namespaces = await _namespaces(connection, None)
    else:
        async with database.reading(request.namespace) as connection:
            namespaces = await _namespaces(connection, request.namespace)
    async with database.writer.connection() as connection:
        counted = [
            await _space(connection, space, state=state)
            for space, state in (await spaces.listed(connection)).items()
        ]
    return Stats(
        namespaces=namespaces,
        spaces=tuple(counted),
        schema_version=max(migration.number for migration in migrations()),
    )


async def _namespaces(connection: Connection, namespace: str | None) -> tuple[NamespaceStats, ...]:
    cursor = await connection.execute(_NAMESPACES, {"namespace": namespace})
    return tuple(
        NamespaceStats(
            namespace=name,
            memories=memories,
            archived=archived,
            pinned=pinned,
            actors=actors,
            first_at=first_at,
            last_at=last_at,
            bytes=int(size),
        )
        for name, memories, archived, pinned, actors, first_at, last_at, size in await cursor.fetchall()
    )


async def _space(connection: Connection, space: Space, *, state: str) -> SpaceStats:
    held = spaces.tables(space)
    cursor = await connection.execute(
        sql.SQL(
            "SELECT (SELECT count(*) FROM {}), (SELECT count(*) FROM {}),"
            " (SELECT count(*) FROM unembedded WHERE space = {})"
        ).format(held.indexed, held.hot, sql.Literal(space.key))
    )
    row = await cursor.fetchone()
    indexed, hot, missing = (0, 0, 0) if row is None else row
    return SpaceStats(
        key=space.key,
        provider=space.provider,
        model=space.model,
        sha256=space.sha256,
        dimension=space.dimension,
        semantic=space.semantic,
        active=state == "active",
        indexed=indexed,
        hot=hot,
        missing=missing,
    )
