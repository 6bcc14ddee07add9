"""Merges near-duplicates: of memories that say the same, one stays, and names what it stands for.

Only memories of one namespace, kind, actor and context are compared, only those that hold without an end, and
only those that name the same numbers, since vectors hardly tell "at 9" from "at 19". What stays is the pinned
one, else the most important, else the oldest. It takes over what the others knew better: the higher
importance, the earlier beginning, the later expiry, their uses. They are archived, and a person can restore
them; what was restored is not compared again.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import anyio.to_thread
import numpy as np
from emily_postgres import Connection
from numpy.typing import NDArray
from psycopg import sql

from emily_memory.embedding.space import Space
from emily_memory.store import placing
from emily_memory.store.spaces import tables

PAIRS = 100
"""Merges of one transaction."""
MOST_COMPARED = 20_000
"""Memories that are compared with each other; of more, those that rank first."""
BLOCK = 1024

Vectors = NDArray[np.float32]

_COMPARABLE = (
    "SELECT part, id, pinned FROM (SELECT id, pinned, importance, occurred_at,"
    " dense_rank() OVER parts AS part, count(*) OVER same AS size FROM (SELECT *,"
    "  trim(regexp_replace(content, '\\D+', ' ', 'g')) AS numbers FROM episode) e"
    " WHERE namespace = %(namespace)s AND archived_at IS NULL AND retracted_at IS NULL AND valid_to IS NULL"
    "  AND kind <> 'summary' AND (expires_at IS NULL OR expires_at > %(now)s)"
    "  AND NOT EXISTS (SELECT FROM change c WHERE c.id = e.id AND c.did = 'restored')"
    " WINDOW parts AS (ORDER BY kind, actor, context, numbers),"
    "  same AS (PARTITION BY kind, actor, context, numbers)) c WHERE size > 1"
    " ORDER BY part, pinned DESC, importance DESC, occurred_at, id"
)
_ABSORB = (
    "UPDATE episode s SET importance = greatest(s.importance, m.importance),"
    " valid_from = least(s.valid_from, m.valid_from), expires_at = CASE"
    " WHEN s.expires_at IS NULL OR m.expires_at IS NULL THEN NULL"
    " ELSE greatest(s.expires_at, m.expires_at) END"
    " FROM episode m WHERE m.id = %(merged)s AND s.id = %(into)s",
    "WITH moved AS (DELETE FROM usage WHERE id = %(merged)s RETURNING namespace, uses, used_at)"
    " INSERT INTO usage SELECT %(into)s, namespace, uses, used_at FROM moved ON CONFLICT (id) DO UPDATE"
    " SET uses = usage.uses + excluded.uses, used_at = greatest(usage.used_at, excluded.used_at)",
    "INSERT INTO derivation SELECT derived, %(into)s, namespace FROM derivation"
    " WHERE origin = %(merged)s AND derived <> %(into)s ON CONFLICT DO NOTHING",
    "INSERT INTO derivation SELECT id, %(merged)s, namespace FROM episode WHERE id = %(into)s"
    " ON CONFLICT DO NOTHING",
    "UPDATE episode SET archived_at = %(now)s WHERE id = %(merged)s",
    "INSERT INTO change (namespace, did, id, other) SELECT namespace, 'merged', id, %(into)s FROM episode"
    " WHERE id = %(merged)s",
)
"""What is done about each pair, in this order."""


class Merged(NamedTuple):
    """How many were compared, and how many of them are merged into another."""

    compared: int
    merged: int


class _Pair(NamedTuple):
    merged: UUID
    into: UUID


async def merge(
    connection: Connection,
    space: Space,
    namespace: str,
    now: datetime,
    *,
    threshold: float,
    dry_run: bool,
    until: float = math.inf,
) -> Merged:
    """What was merged in a namespace, or would be.

    Args:
        connection: Of the writer.
        space: That answers; what has no vector in it is not compared.
        namespace: Of which.
        now: The time to judge by.
        threshold: Least cosine of near-duplicates.
        dry_run: Only count.
        until: Of the monotonic clock; nothing is compared later.
    """
    compared = merged = 0
    for members in await _comparable(connection, namespace, now):
        if time.monotonic() >= until:
            break
        ids, vectors = await _embedded(connection, list(members), space)
        pinned = np.array([members[each] for each in ids], bool)
        found = await anyio.to_thread.run_sync(duplicates, vectors, pinned, threshold)
        pairs = [_Pair(ids[each], ids[into]) for each, into in found.items()]
        compared += len(ids)
        for first in range(0, len(pairs), PAIRS):
            some = pairs[first : first + PAIRS]
            merged += len(some) if dry_run else await _apply(connection, some, now)
    return Merged(compared, merged)


def duplicates(vectors: Vectors, pinned: NDArray[np.bool_], threshold: float) -> dict[int, int]:
    """Which rows are near one that stays and ranks before them, and the first of those.

    Args:
        vectors: (n, dimension), those that rank first in front.
        pinned: (n,) whether each has to stay.
        threshold: Least cosine of near-duplicates.
    """
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True) if len(vectors) else vectors
    stays = np.ones(len(unit), bool)
    into: dict[int, int] = {}
    for start in range(0, len(unit), BLOCK):
        near = unit[start : start + BLOCK] @ unit[: start + BLOCK].T >= threshold
        for row, close in enumerate(near, start):
            before = np.flatnonzero(close[:row] & stays[:row])
            if len(before) and not pinned[row]:
                into[row] = int(before[0])
                stays[row] = False
    return into


async def _comparable(connection: Connection, namespace: str, now: datetime) -> list[dict[UUID, bool]]:
    """Who is compared with whom, those that rank first in front, and who of them is pinned."""
    cursor = await connection.execute(_COMPARABLE, {"namespace": namespace, "now": now})
    parts: defaultdict[int, dict[UUID, bool]] = defaultdict(dict)
    for part, identity, pinned in await cursor.fetchall():
        if len(parts[part]) < MOST_COMPARED:
            parts[part][identity] = pinned
    return list(parts.values())


async def _embedded(connection: Connection, ids: list[UUID], space: Space) -> tuple[list[UUID], Vectors]:
    """Those that have a vector, in the order of the ids, with it."""
    own = tables(space)
    cursor = connection.cursor(binary=True)
    await cursor.execute(
        sql.SQL(
            "SELECT id, embedding FROM {} WHERE id = ANY(%(ids)s)"
            " UNION ALL SELECT id, embedding FROM {} WHERE id = ANY(%(ids)s)"
        ).format(own.hot, own.indexed),
        {"ids": ids},
    )
    known = {identity: vector.to_numpy() for identity, vector in await cursor.fetchall()}
    kept = [each for each in ids if each in known]
    vectors = np.array([known[each] for each in kept], np.float32).reshape(len(kept), space.dimension)
    return kept, vectors


async def _apply(connection: Connection, pairs: list[_Pair], now: datetime) -> int:
    """Merge those pairs of which both are still as they were found; gives how many."""
    async with connection.transaction():
        cursor = await connection.execute(
            "SELECT id, pinned FROM episode WHERE id = ANY(%s) AND archived_at IS NULL"
            " AND retracted_at IS NULL AND valid_to IS NULL ORDER BY id FOR UPDATE",
            [sorted({each for pair in pairs for each in pair})],
        )
        held = dict(await cursor.fetchall())
        sound = [pair for pair in pairs if held.get(pair.merged) is False and pair.into in held]
        async with connection.cursor() as writing:
            for statement in _ABSORB:
                await writing.executemany(statement, [pair._asdict() | {"now": now} for pair in sound])
        await placing.remove(connection, [pair.merged for pair in sound])
    return len(sound)
