"""Export: one moment of a namespace, in every version, as lines that an import takes in again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from typing import Any

import numpy as np
import zstandard
from emily_postgres import Connection
from psycopg import sql

from emily_memory import remembered, spaces
from emily_memory.database import Database, migrations
from emily_memory.embedding.space import Space
from emily_memory.jsonl import Header, Line, encoded

ROWS = 500
PATIENCE_S = 60
"""Who takes nothing for so long holds the snapshot no longer."""
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
            await cursor.execute(_query(space), {"namespace": namespace})
            while rows := await cursor.fetchmany(ROWS):
                yield encoded(map(_line, rows))


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


def _query(space: Space | None) -> sql.Composed:
    """Rows of `remembered.SELECTED` with the vector behind them, in the order of recording."""
    more: sql.Composable = sql.SQL(", NULL::bytea")
    joined: sql.Composable = sql.SQL("")
    if space is not None:
        held = spaces.tables(space)
        more = sql.SQL(", halfvec_send(coalesce(vi.embedding, vh.embedding))")
        joined = sql.SQL("LEFT JOIN {} vi ON vi.id = e.id LEFT JOIN {} vh ON vh.id = e.id").format(
            held.indexed, held.hot
        )
    return sql.SQL("{} WHERE e.namespace = %(namespace)s ORDER BY e.recorded_at, e.id").format(
        remembered.selecting(more, joined)
    )


def _line(row: Sequence[Any]) -> Line:
    *columns, sent = row
    vector = None if sent is None else np.frombuffer(sent, ">f2", offset=_VECTOR_HEAD).astype("<f2").tobytes()
    known = remembered.memory(columns)
    fields = {name: getattr(known, name) for name in known.__struct_fields__}
    return Line(**fields, vector=vector)
