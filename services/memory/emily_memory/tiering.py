"""Work behind the scenes on vectors and words: into the index, into being, into the counts."""

from __future__ import annotations

from collections.abc import Sequence

import anyio.to_thread
from emily_postgres import Connection
from psycopg import sql

from emily_memory.embedding.embedder import Embedder
from emily_memory.embedding.space import Space
from emily_memory.keeping import require_fitting
from emily_memory.spaces import tables

DRAINED = 256
EMBEDDED = 64
COUNTED = 5000
SETTLING_S = 2.0


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


async def count_words(connection: Connection, *, rows: int = COUNTED) -> int:
    """Count the words of episodes recorded since the last time, for BM25; gives how many episodes.

    An episode whose transaction took longer than two seconds is passed over until `recount_words`.
    """
    async with connection.transaction():
        cursor = await connection.execute(
            "WITH since AS (SELECT until FROM counting FOR UPDATE), fresh AS ("
            " SELECT namespace, words, recorded_at FROM episode, since WHERE recorded_at > since.until"
            " AND recorded_at <= clock_timestamp() - %(settling)s * interval '1 second'"
            " ORDER BY recorded_at LIMIT %(rows)s),"
            " counted AS (INSERT INTO word SELECT namespace, lexeme, count(*) FROM fresh, unnest(words)"
            "  GROUP BY 1, 2 ORDER BY 1, 2 ON CONFLICT (namespace, lexeme) DO UPDATE"
            "  SET episodes = word.episodes + excluded.episodes),"
            " summed AS (INSERT INTO corpus SELECT namespace, count(*), sum(length(words)) FROM fresh"
            "  GROUP BY 1 ON CONFLICT (namespace) DO UPDATE"
            "  SET episodes = corpus.episodes + excluded.episodes,"
            "  words = corpus.words + excluded.words),"
            " moved AS (UPDATE counting SET until = (SELECT max(recorded_at) FROM fresh)"
            "  WHERE EXISTS (SELECT FROM fresh))"
            " SELECT count(*) FROM fresh",
            {"settling": SETTLING_S, "rows": rows},
        )
        row = await cursor.fetchone()
    return 0 if row is None else int(row[0])


async def recount_words(connection: Connection) -> None:
    """Count all words anew, without those of episodes that are gone."""
    async with connection.transaction():
        await connection.execute("SELECT until FROM counting FOR UPDATE")
        await connection.execute("TRUNCATE word, corpus")
        await connection.execute("UPDATE counting SET until = '-infinity'")
    while await count_words(connection):
        pass
