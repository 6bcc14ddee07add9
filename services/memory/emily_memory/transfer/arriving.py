"""A batch of memories with their past, from another database: COPY to a staging table, then to their places.

An id that is known stays as it is, unless it was corrected or superseded where it comes from and was not
here. What it was derived from is linked as soon as both are there. What was done to a memory comes with it;
to one that is known, its correction alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import anyio
import numpy as np
import pgvector
from emily_postgres import Connection
from numpy.typing import NDArray
from psycopg import sql

from emily_memory.embedding.space import Space
from emily_memory.store import placing, spaces, word_counts
from emily_memory.store.record import COLUMNS, row
from emily_memory.transfer.jsonl import Done, Line, refused

RECORD = {
    "recorded_at": "timestamptz",
    "retracted_at": "timestamptz",
    "archived_at": "timestamptz",
    "superseded_by": "uuid",
}
_ALONG = {
    "uses": "int8",
    "used_at": "timestamptz",
    "origins": "uuid[]",
    "line": "int8",
    "embedding": "halfvec",
}
_STAGED = {**COLUMNS, **RECORD, **_ALONG}
_KEPT = sql.SQL(", ").join(map(sql.Identifier, (*COLUMNS, *RECORD)))

_MAKE = (
    sql.SQL("CREATE TEMP TABLE arrival ({}) ON COMMIT DELETE ROWS").format(
        sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in _STAGED.items()
        )
    ),
    sql.SQL("CREATE TEMP TABLE fresh (id uuid PRIMARY KEY) ON COMMIT DELETE ROWS"),
    sql.SQL("CREATE TEMP TABLE known_as (id uuid PRIMARY KEY, known uuid NOT NULL)"),
    sql.SQL("CREATE TEMP TABLE awaited_origin (derived uuid, origin uuid, namespace text)"),
)
_DROP = "DROP TABLE IF EXISTS pg_temp.arrival, pg_temp.fresh, pg_temp.known_as, pg_temp.awaited_origin"
_INSERT = sql.SQL(
    "WITH new AS (INSERT INTO episode ({kept}) SELECT {kept} FROM arrival ORDER BY line"
    " ON CONFLICT DO NOTHING RETURNING id) INSERT INTO fresh SELECT id FROM new"
).format(kept=_KEPT)
_UPDATE = (
    "UPDATE episode e SET retracted_at = a.retracted_at, superseded_by = a.superseded_by,"
    " valid_to = a.valid_to FROM arrival a WHERE a.id = e.id AND e.retracted_at IS NULL AND"
    " (a.retracted_at IS NOT NULL OR (e.superseded_by IS NULL AND a.superseded_by IS NOT NULL))"
    " RETURNING e.id, e.retracted_at IS NOT NULL"
)
_ALONGSIDE = (
    "INSERT INTO usage SELECT id, namespace, uses, used_at FROM arrival JOIN fresh USING (id) WHERE uses > 0",
    "INSERT INTO known_as SELECT a.id, e.id FROM arrival a JOIN episode e ON e.namespace = a.namespace"
    " AND e.content_hash = a.content_hash AND e.retracted_at IS NULL WHERE a.retracted_at IS NULL"
    " AND NOT EXISTS (SELECT FROM episode known WHERE known.id = a.id) ON CONFLICT DO NOTHING",
    "INSERT INTO awaited_origin SELECT id, unnest(origins), namespace FROM arrival",
)
_CHANGES = (
    "INSERT INTO change (namespace, at, did, id, other, reason)"
    " SELECT %(namespace)s, c.at, c.did, c.id, c.other, c.reason FROM unnest("
    "%(at)s::timestamptz[], %(did)s::text[], %(id)s::uuid[], %(other)s::uuid[], %(reason)s::text[])"
    " WITH ORDINALITY AS c (at, did, id, other, reason, place)"
    " WHERE NOT EXISTS (SELECT FROM change k WHERE k.id = c.id AND k.at = c.at AND k.did = c.did)"
    " AND (EXISTS (SELECT FROM fresh f WHERE f.id = c.id) OR c.did IN ('edited', 'superseded')"
    "  AND EXISTS (SELECT FROM episode e WHERE e.id = c.id AND e.superseded_by = c.other)) ORDER BY c.place"
)
_LINK = (
    "WITH linked AS (DELETE FROM awaited_origin o USING episode d, episode s"
    " WHERE d.id = coalesce((SELECT known FROM known_as k WHERE k.id = o.derived), o.derived)"
    " AND s.id = coalesce((SELECT known FROM known_as k WHERE k.id = o.origin), o.origin)"
    " AND d.namespace = o.namespace AND s.namespace = o.namespace AND d.id <> s.id"
    " RETURNING d.id AS derived, s.id AS origin, o.namespace)"
    " INSERT INTO derivation SELECT * FROM linked ON CONFLICT DO NOTHING"
)


class Arriving(Protocol):
    """What a batch is made of."""

    @property
    def number(self) -> int:
        """Of the line."""

    @property
    def line(self) -> Line:
        """What it says."""

    @property
    def vector(self) -> NDArray[np.float16] | None:
        """(dimension,) numbers."""


class Arrived(NamedTuple):
    """What became of a batch."""

    new: int
    updated: int
    embedded: int


@asynccontextmanager
async def tables(connection: Connection) -> AsyncIterator[None]:
    """Staging tables for the length of the block."""
    await connection.execute(_DROP)
    for statement in _MAKE:
        await connection.execute(statement)
    try:
        yield
    finally:
        if not connection.closed:
            with anyio.CancelScope(shield=True):
                await connection.execute(_DROP)


async def store(
    connection: Connection, batch: Sequence[Arriving], space: Space | None, namespace: str
) -> Arrived:
    """Store a batch as a whole or not at all, between `tables`.

    Args:
        connection: Of the writer.
        batch: In the order of recording.
        space: Of the vectors; where another one answers, memories wait for theirs.
        namespace: Where they go.

    Raises:
        MemoryRefused: An id is that of a memory elsewhere.
    """
    async with connection.transaction():
        await _copy(connection, batch, namespace)
        await _require_own(connection)
        updated = await (await connection.execute(_UPDATE)).fetchall()
        await placing.remove(connection, [identity for identity, retracted in updated if retracted])
        await connection.execute(_INSERT)
        for statement in _ALONGSIDE:
            await connection.execute(statement)
        await connection.execute(_LINK)
        await connection.execute(_CHANGES, _changes(batch, namespace))
        embedded = await _place(connection, space)
        cursor = await connection.execute("SELECT id FROM fresh")
        fresh: list[UUID] = [each for (each,) in await cursor.fetchall()]
        await word_counts.bring_in(connection, fresh)
    return Arrived(len(fresh), len(updated), embedded)


async def settle(connection: Connection) -> None:
    """Let memories and changes name, in place of what was known under another id, that one."""
    for statement in (
        "UPDATE episode e SET superseded_by = k.known FROM known_as k WHERE e.superseded_by = k.id",
        "UPDATE change c SET other = k.known FROM known_as k WHERE c.other = k.id",
    ):
        await connection.execute(statement)


async def _place(connection: Connection, space: Space | None) -> int:
    """Vectors in the space that answers, if it is theirs; the rest waits, in every space that wants them."""
    active = await spaces.active(connection)
    embedded = 0
    same = active is not None and space is not None and active.sha256 == space.sha256
    if active is not None and same:
        cursor = await connection.execute(
            sql.SQL(
                "INSERT INTO {} SELECT id, namespace, kind, actor, occurred_at, embedding"
                " FROM arrival JOIN fresh USING (id)"
                " WHERE embedding IS NOT NULL AND retracted_at IS NULL AND archived_at IS NULL"
            ).format(spaces.tables(active).hot)
        )
        embedded = cursor.rowcount
    await connection.execute(
        "INSERT INTO unembedded SELECT s.key, a.id FROM arrival a JOIN fresh USING (id), space s"
        " WHERE a.retracted_at IS NULL AND a.archived_at IS NULL AND s.state <> 'retired'"
        " AND NOT (%s AND s.state = 'active' AND a.embedding IS NOT NULL)",
        [same],
    )
    return embedded


async def _copy(connection: Connection, batch: Sequence[Arriving], namespace: str) -> None:
    async with (
        connection.cursor(binary=True) as cursor,
        cursor.copy("COPY arrival FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.set_types(list(_STAGED.values()))
        for each in batch:
            line = each.line
            vector = None if each.vector is None else pgvector.HalfVector(each.vector)
            record = tuple(getattr(line, name) for name in RECORD)
            along = (line.uses, line.used_at, list(line.derived_from), each.number, vector)
            await copy.write_row((*row(namespace, line, line.source), *record, *along))


def _changes(batch: Sequence[Arriving], namespace: str) -> dict[str, Any]:
    """What was done to the memories of a batch, by columns."""
    changes = [(each.line.id, change) for each in batch for change in each.line.changes]
    columns = {name: [getattr(change, name) for _, change in changes] for name in Done.__struct_fields__}
    return {"namespace": namespace, "id": [identity for identity, _ in changes], **columns}


async def _require_own(connection: Connection) -> None:
    cursor = await connection.execute(
        "SELECT a.line, a.id FROM arrival a JOIN episode e USING (id) WHERE e.namespace <> a.namespace"
        " ORDER BY a.line LIMIT 1"
    )
    foreign = await cursor.fetchone()
    if foreign is not None:
        raise refused(foreign[0], "id", f"{foreign[1]} is a memory of another namespace here")
