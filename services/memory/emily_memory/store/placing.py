"""Where vectors of a memory are when the memory is corrected, forgotten or erased.

Hot tables come before indexed ones in every step: who drains the one into the other at the same time is
waited for at the first, and what it moved is found in the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from emily_postgres import Connection
from psycopg import sql

from emily_memory.store.spaces import Tables


async def await_embedding(connection: Connection, identity: UUID) -> None:
    """Let a memory wait for a vector in every space that answers or is being built."""
    await connection.execute(
        "INSERT INTO unembedded SELECT key, %s FROM space WHERE state <> 'retired' ON CONFLICT DO NOTHING",
        [identity],
    )


async def hand_over(connection: Connection, old: UUID, new: UUID) -> None:
    """Give a version's vectors, in every space, to the version that has the same content."""
    await connection.execute(
        "WITH waiting AS (DELETE FROM unembedded WHERE id = %(old)s RETURNING space)"
        " INSERT INTO unembedded SELECT space, %(new)s FROM waiting",
        {"old": old, "new": new},
    )
    for tables in await _all(connection):
        for table in (tables.hot, tables.indexed):
            await connection.execute(
                sql.SQL(
                    "WITH moved AS (DELETE FROM {table} WHERE id = %(old)s RETURNING embedding)"
                    " INSERT INTO {hot} SELECT id, namespace, kind, actor, occurred_at, embedding"
                    " FROM moved, episode WHERE id = %(new)s"
                ).format(table=table, hot=tables.hot),
                {"old": old, "new": new},
            )


async def remove(connection: Connection, ids: Sequence[UUID]) -> int:
    """Take the vectors of memories out of every space, and what waits for one; gives how many vectors."""
    await connection.execute("DELETE FROM unembedded WHERE id = ANY(%s)", [list(ids)])
    removed = 0
    for tables in await _all(connection):
        for table in (tables.hot, tables.indexed):
            cursor = await connection.execute(
                sql.SQL("DELETE FROM {} WHERE id = ANY(%s)").format(table), [list(ids)]
            )
            removed += cursor.rowcount
    return removed


async def count(connection: Connection, ids: Sequence[UUID]) -> int:
    """How many vectors there are of memories, in every space."""
    counted = 0
    for tables in await _all(connection):
        for table in (tables.hot, tables.indexed):
            cursor = await connection.execute(
                sql.SQL("SELECT count(*) FROM {} WHERE id = ANY(%s)").format(table), [list(ids)]
            )
            row = await cursor.fetchone()
            counted += 0 if row is None else int(row[0])
    return counted


async def _all(connection: Connection) -> list[Tables]:
    cursor = await connection.execute("SELECT key FROM space ORDER BY key")
    return [Tables(key) for (key,) in await cursor.fetchall()]
