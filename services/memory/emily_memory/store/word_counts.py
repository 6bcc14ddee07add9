"""Counts of words for BM25: of episodes as they are recorded, as they leave, and as they come with a past."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from emily_postgres import Connection
from psycopg import sql

from emily_memory.store.database import SCHEMA

COUNTED = 5000
SETTLING_S = 2.0

_COUNTED = sql.SQL(
    "WITH these AS MATERIALIZED (SELECT namespace, words FROM episode, counting"
    " WHERE id = ANY(%(ids)s) AND recorded_at <= until),"
    " each AS MATERIALIZED (SELECT namespace, lexeme, count(*) AS n FROM these, unnest(words) GROUP BY 1, 2),"
    " total AS (SELECT namespace, count(*) AS n, sum(length(words)) AS words FROM these GROUP BY 1)"
)


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


async def index_words(connection: Connection) -> None:
    """Move new words and contexts from where they wait into their index, so that no writer has to."""
    for index in ("episode_words", "episode_context"):
        await connection.execute("SELECT gin_clean_pending_list(%s::regclass)", [f"{SCHEMA}.{index}"])


async def recount_words(connection: Connection) -> None:
    """Count all words anew, without those of episodes that are gone."""
    async with connection.transaction():
        await connection.execute("SELECT until FROM counting FOR UPDATE")
        await connection.execute("DELETE FROM word")
        await connection.execute("DELETE FROM corpus")
        await connection.execute("UPDATE counting SET until = '-infinity'")
    while await count_words(connection):
        pass


async def take_out(connection: Connection, ids: Sequence[UUID]) -> None:
    """Count the words of episodes no more; a word that stood in nothing else is gone.

    To be called in the transaction that deletes them, before that.
    """
    await connection.execute("SELECT FROM counting FOR UPDATE")
    await connection.execute(
        sql.SQL(
            "{}, gone AS (DELETE FROM word w USING each e"
            "  WHERE w.namespace = e.namespace AND w.lexeme = e.lexeme AND w.episodes <= e.n),"
            " fewer AS (UPDATE word w SET episodes = w.episodes - e.n FROM each e"
            "  WHERE w.namespace = e.namespace AND w.lexeme = e.lexeme AND w.episodes > e.n)"
            " UPDATE corpus c SET episodes = greatest(0, c.episodes - t.n),"
            " words = greatest(0, c.words - t.words) FROM total t WHERE c.namespace = t.namespace"
        ).format(_COUNTED),
        {"ids": list(ids)},
    )


async def bring_in(connection: Connection, ids: Sequence[UUID]) -> None:
    """Count the words of episodes that were recorded earlier than the last that were counted.

    To be called in the transaction that inserts them, after that.
    """
    await connection.execute("SELECT FROM counting FOR UPDATE")
    await connection.execute(
        sql.SQL(
            "{}, more AS (INSERT INTO word SELECT namespace, lexeme, n FROM each ORDER BY 1, 2"
            "  ON CONFLICT (namespace, lexeme) DO UPDATE SET episodes = word.episodes + excluded.episodes)"
            " INSERT INTO corpus SELECT namespace, n, words FROM total ON CONFLICT (namespace) DO UPDATE"
            " SET episodes = corpus.episodes + excluded.episodes, words = corpus.words + excluded.words"
        ).format(_COUNTED),
        {"ids": list(ids)},
    )
