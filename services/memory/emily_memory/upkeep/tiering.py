"""Vectors come into being, and from the hot table into the index."""

from __future__ import annotations

from collections.abc import Sequence

import anyio.to_thread
from emily_postgres import Connection
from psycopg import sql

from emily_memory.embedding.embedder import Embedder
from emily_memory.embedding.space import Space
from emily_memory.store.batch import require_fitting
from emily_memory.store.spaces import tables

DRAINED = 256
EMBEDDED = 64


async def drain(connection: Connection, space: Space, *, rows: int = DRAINED) -> int:
    """Move hot vectors into the index; gives how many. A reader finds each in one or the other."""
    hot, indexed = tables(space).hot, tables(space).indexed
    cursor = await connection.execute(
        sql.SQL(
            "WITH moved AS (DELETE FROM {hot} WHERE ctid = ANY(ARRAY("
            "SELECT ctid FROM {hot} LIMIT %s FOR UPDATE SKIP LOCKED)) RETURNING *)"
            " INSERT INTO {indexed} SELECT * FROM moved ON CONFLICT (id) DO NOTHING"
        ).format(hot=hot, indexed=indexed),
        [rows],
    )
    return cursor.rowcount


async def embed_waiting(connection: Connection, embedder: Embedder, *, rows: int = EMBEDDED) -> int:
    """Embed episodes that wait for a vector in the embedder's space; gives how many.

    Raises:
        EmbedderDown: They go on waiting.
    """
    space = embedder.space
    hot = tables(space).hot
    async with connection.transaction():
        cursor = await connection.execute(
            "SELECT id, e.namespace, kind, actor, occurred_at, content"
            " FROM unembedded JOIN episode e USING (id) WHERE space = %s"
            " ORDER BY id LIMIT %s FOR UPDATE OF unembedded SKIP LOCKED",
            [space.key, rows],
        )
        waiting = await cursor.fetchall()
        if not waiting:
            return 0
        vectors = await anyio.to_thread.run_sync(embedder.embed, [row[5] for row in waiting])
        require_fitting(vectors, len(waiting), space)
        async with connection.cursor() as writing:
            await writing.executemany(
                sql.SQL("INSERT INTO {} VALUES (%s, %s, %s, %s, %s, %s::float4[]::halfvec)").format(hot),
                [(*row[:5], vector.tolist()) for row, vector in zip(waiting, vectors, strict=True)],
            )
        done: Sequence[object] = [row[0] for row in waiting]
        await connection.execute(
            "DELETE FROM unembedded WHERE space = %s AND id = ANY(%s)", [space.key, done]
        )
    return len(waiting)
