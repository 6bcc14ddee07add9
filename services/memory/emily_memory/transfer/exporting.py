"""Export: one moment of a namespace, in every version with its changes, as lines that an import takes in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from uuid import UUID

import numpy as np
import zstandard
from emily_contracts.curation import Memory
from emily_postgres import Connection
from psycopg import sql

from emily_memory.embedding.space import Space
from emily_memory.store import remembered, spaces
from emily_memory.store.database import Database, migrations
from emily_memory.transfer.jsonl import Done, Header, Line, encoded

ROWS = 500
PATIENCE_S = 60
"""Who takes nothing for so long holds the snapshot no longer."""
_QUERY = sql.SQL("{} WHERE e.namespace = %(namespace)s ORDER BY e.recorded_at, e.id").format(
    remembered.SELECTED
)
_VECTOR_HEAD = 4
"""Bytes before the numbers in PostgreSQL's form of a vector."""


async def export(database: Database, namespace: str) -> AsyncGenerator[bytes]:
    """Lines, some at a time; what changes meanwhile is not in them.

    Raises:
        psycopg.OperationalError: The database went away, or nothing was taken for a minute.
    """
    async with database.reading(namespace) as connection, _snapshot(connection):
        space = await spaces.active(connection)
        yield encoded([await _header(connection, namespace, space)])
        async with connection.cursor(name="export") as cursor:
            await cursor.execute(_QUERY, {"namespace": namespace})
            while rows := await cursor.fetchmany(ROWS):
                memories = [remembered.memory(row) for row in rows]
                ids = [each.id for each in memories]
                vectors = await _vectors(connection, space, ids)
                changes = await _changes(connection, ids)
                yield encoded(_line(each, vectors.get(each.id), changes[each.id]) for each in memories)


async def compressed(plain: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The same by zstd."""
    compressor = zstandard.ZstdCompressor().compressobj()
    async with aclosing(plain):
        async for chunk in plain:
            if smaller := compressor.compress(chunk):
                yield smaller
    yield compressor.flush()


@asynccontextmanager
async def _snapshot(connection: Connection) -> AsyncIterator[None]:
    async with connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        await connection.execute("SET LOCAL cursor_tuple_fraction = 1")
        await connection.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{PATIENCE_S}s'".encode())
        yield


async def _header(connection: Connection, namespace: str, space: Space | None) -> Header:
    cursor = await connection.execute("SELECT now(), count(*) FROM episode WHERE namespace = %s", [namespace])
    row: tuple[datetime, int] = await cursor.fetchone()  # type: ignore[assignment]  # a count is one row
    exported_at, memories = row
    return Header(
        schema_version=max(migration.number for migration in migrations()),
        space=space,
        namespace=namespace,
        exported_at=exported_at,
        memories=memories,
    )


async def _vectors(connection: Connection, space: Space | None, ids: list[UUID]) -> dict[UUID, bytes]:
    """Of those that have one, as lines hold it."""
    if space is None:
        return {}
    held = spaces.tables(space)
    cursor = await connection.execute(
        sql.SQL(
            "SELECT id, halfvec_send(embedding) FROM {} WHERE id = ANY(%(ids)s)"
            " UNION ALL SELECT id, halfvec_send(embedding) FROM {} WHERE id = ANY(%(ids)s)"
        ).format(held.indexed, held.hot),
        {"ids": ids},
    )
    return {
        identity: np.frombuffer(sent, ">f2", offset=_VECTOR_HEAD).astype("<f2").tobytes()
        for identity, sent in await cursor.fetchall()
    }


async def _changes(connection: Connection, ids: list[UUID]) -> defaultdict[UUID, list[Done]]:
    """What was done to each, in this order."""
    cursor = await connection.execute(
        "SELECT id, at, did, other, reason FROM change WHERE id = ANY(%s) ORDER BY at, number", [ids]
    )
    changes: defaultdict[UUID, list[Done]] = defaultdict(list)
    for identity, at, did, other, reason in await cursor.fetchall():
        changes[identity].append(Done(at=at, did=did, other=other, reason=reason))
    return changes


def _line(memory: Memory, vector: bytes | None, changes: list[Done]) -> Line:
    known = {name: getattr(memory, name) for name in memory.__struct_fields__}
    return Line(**known, vector=vector, changes=tuple(changes))
