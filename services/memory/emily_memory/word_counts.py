"""Counts of words for episodes that leave, or come with a past; others are counted as they are recorded."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from emily_postgres import Connection
from psycopg import sql

_COUNTED = sql.SQL(
    "WITH these AS MATERIALIZED (SELECT namespace, words FROM episode, counting"
    " WHERE id = ANY(%(ids)s) AND recorded_at <= until),"
    " each AS MATERIALIZED (SELECT namespace, lexeme, count(*) AS n FROM these, unnest(words) GROUP BY 1, 2),"
    " total AS (SELECT namespace, count(*) AS n, sum(length(words)) AS words FROM these GROUP BY 1)"
)


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
