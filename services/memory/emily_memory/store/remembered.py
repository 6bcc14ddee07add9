"""Memories as they are on record, whatever became of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec
from emily_contracts.curation import Memory
from emily_postgres import Connection
from psycopg import sql

from emily_memory.errors import NotFound
from emily_memory.store.spaces import Tables

OWN = (
    "id",
    "occurred_at",
    "content",
    "kind",
    "importance",
    "valence",
    "arousal",
    "context",
    "dominance",
    "actor",
    "session",
    "valid_from",
    "valid_to",
    "expires_at",
    "pinned",
    "namespace",
    "recorded_at",
    "retracted_at",
    "archived_at",
    "superseded_by",
    "source",
)
"""Columns of an episode that are fields of a memory."""

SELECTED = sql.SQL(
    "SELECT {own}, coalesce(u.uses, 0), u.used_at, ARRAY(SELECT origin FROM derivation d"
    " WHERE d.derived = e.id ORDER BY origin) FROM episode e LEFT JOIN usage u USING (id)"
).format(own=sql.SQL(", ").join(sql.Identifier("e", name) for name in OWN))
"""To stand before WHERE on the alias `e`; rows are read by `memory`."""


def memory(row: Sequence[Any]) -> Memory:
    """From a row of `SELECTED`, without the spaces in which it is embedded."""
    fields = dict(zip(OWN, row, strict=False))
    uses, used_at, origins = row[len(OWN) :]
    return Memory(**fields, uses=uses, used_at=used_at, derived_from=tuple(origins))


async def found(connection: Connection, query: sql.Composable, values: dict[str, Any]) -> tuple[Memory, ...]:
    """Memories with everything that is known of them.

    Args:
        connection: Of a reader or the writer.
        query: Begins with `SELECTED`.
        values: Of its parameters.
    """
    cursor = await connection.execute(sql.Composed([query]), values)
    memories = [memory(row) for row in await cursor.fetchall()]
    spaces = await embedded_in(connection, (each.id for each in memories))
    return tuple(msgspec.structs.replace(each, embedded_in=spaces.get(each.id, ())) for each in memories)


async def one(connection: Connection, namespace: str, identity: UUID) -> Memory:
    """A memory with everything that is known of it.

    Raises:
        NotFound: There is none.
    """
    query = sql.SQL("{} WHERE e.namespace = %(namespace)s AND e.id = %(id)s").format(SELECTED)
    memories = await found(connection, query, {"namespace": namespace, "id": identity})
    if not memories:
        raise missing(namespace, identity)
    return memories[0]


def missing(namespace: str, identity: UUID) -> NotFound:
    """The error that says which memory is not there."""
    return NotFound(f"id: there is no memory {identity} in {namespace}; list those that are")


async def embedded_in(connection: Connection, ids: Iterable[UUID]) -> dict[UUID, tuple[str, ...]]:
    """The spaces in which each can be found by meaning; those in none are left out."""
    wanted = list(ids)
    cursor = await connection.execute("SELECT key FROM space ORDER BY key")
    keys = [key for (key,) in await cursor.fetchall()]
    if not wanted or not keys:
        return {}
    legs = [
        sql.SQL("SELECT id, {} AS key FROM {} WHERE id = ANY(%(ids)s)").format(sql.Literal(key), table)
        for key in keys
        for table in (Tables(key).indexed, Tables(key).hot)
    ]
    query = sql.SQL("SELECT id, array_agg(DISTINCT key) FROM ({}) v GROUP BY id").format(
        sql.SQL(" UNION ALL ").join(legs)
    )
    rows = await (await connection.execute(query, {"ids": wanted})).fetchall()
    return {identity: tuple(sorted(spaces)) for identity, spaces in rows}
