"""Erasure: everything about an actor goes, and a second look says whether anything is left.

It goes in batches, each a transaction of its own: some memories of the actor with all that hangs on them, so
that what stays can still be found by the actor's name. An erasure that was cut off is asked for again and
does the rest.
"""

from __future__ import annotations

import math
import time
from typing import NamedTuple
from uuid import UUID

import msgspec
from emily_contracts.curation import EraseRequest, Erasure
from emily_postgres import Connection

from emily_memory.store import placing, word_counts
from emily_memory.store.database import Database

_ABOUT = (
    "WITH RECURSIVE link (origin, other) AS NOT MATERIALIZED ("
    " SELECT o.id, o.superseded_by FROM episode o WHERE o.namespace = %(namespace)s"
    "  AND o.retracted_at IS NOT NULL AND o.superseded_by IS NOT NULL AND NOT EXISTS"
    "  (SELECT FROM derivation d WHERE d.derived = o.superseded_by AND d.origin = o.id)),"
    " involved (id) AS ("
    " (SELECT id FROM episode WHERE namespace = %(namespace)s AND actor = %(actor)s LIMIT %(rows)s)"
    " UNION SELECT n.id FROM involved i CROSS JOIN LATERAL ("
    "  SELECT derived AS id FROM derivation WHERE origin = i.id"
    "  UNION ALL SELECT other FROM link WHERE origin = i.id"
    "  UNION ALL SELECT origin FROM link WHERE other = i.id) n),"
    " found AS MATERIALIZED (SELECT id, actor FROM involved CROSS JOIN LATERAL ("
    "  SELECT actor FROM episode e WHERE e.id = involved.id LIMIT 1) e),"
    " version (id) AS ("
    " SELECT id FROM found WHERE actor = %(actor)s"
    " UNION SELECT n.id FROM version v CROSS JOIN LATERAL ("
    "  SELECT other AS id FROM link WHERE origin = v.id"
    "  UNION ALL SELECT origin FROM link WHERE other = v.id) n)"
    " SELECT id, version.id IS NOT NULL FROM found LEFT JOIN version USING (id) ORDER BY id"
)
"""Memories of the actor in every version, and whatever was derived from one of them, in every version.

A link joins a corrected version with its correction; the memories that a merge replaced are not versions
of it, since they may be about somebody else.
"""

_SILENCE = (
    "UPDATE change c SET reason = '' WHERE namespace = %(namespace)s AND reason <> ''"
    " AND EXISTS (SELECT FROM change gone WHERE gone.id = c.other AND gone.did = 'erased')"
    " AND NOT EXISTS (SELECT FROM episode e WHERE e.id = c.other)"
)
"""Why others were changed in favour of what is erased."""
ROWS = 500
"""Memories of the actor, before all that hangs on them, of one transaction."""
MOST_COUNTED = 500_000
"""Memories of the actor that a dry run looks at."""


class _About(NamedTuple):
    own: list[UUID]
    derived: list[UUID]

    @property
    def all(self) -> list[UUID]:
        return [*self.own, *self.derived]


async def erase(database: Database, request: EraseRequest, *, patience_s: float = math.inf) -> Erasure:
    """What was removed of an actor, or would be.

    Versions, summaries and merges that drew on them, vectors in every space, uses and counted words go; the
    change log keeps that something was erased, without a reason or a word of it.

    Args:
        database: Where memories are.
        request: Of whom.
        patience_s: No batch begins later; there is more then.
    """
    until = time.monotonic() + patience_s
    async with database.writer.connection() as connection:
        if request.dry_run:
            return await _counted(connection, request)
        done = Erasure(memories=0, derived=0, vectors=0, dry_run=False)
        while True:
            batch = await _erase_some(connection, request)
            done = _sum(done, batch)
            if batch.left or not batch.memories or time.monotonic() >= until:
                break
        await connection.execute(_SILENCE, {"namespace": request.namespace})
        stay, remains = await _number(connection, request), batch.left or 0
        return msgspec.structs.replace(done, left=stay + remains, more=stay > 0 and not remains)


async def _counted(connection: Connection, request: EraseRequest) -> Erasure:
    async with connection.transaction():
        about = await _about(connection, request, rows=MOST_COUNTED)
        found = await placing.count(connection, about.all)
    return Erasure(
        memories=len(about.own),
        derived=len(about.derived),
        vectors=found,
        dry_run=True,
        more=len(about.own) >= MOST_COUNTED,
    )


async def _erase_some(connection: Connection, request: EraseRequest) -> Erasure:
    """What a batch removed, and how much of that is left when looking again."""
    async with connection.transaction():
        about = await _settled(connection, request)
        removed = await placing.remove(connection, about.all)
        await word_counts.take_out(connection, about.all)
        await _delete(connection, request.namespace, about.all)
    return Erasure(
        memories=len(about.own),
        derived=len(about.derived),
        vectors=removed,
        dry_run=False,
        left=await _remains(connection, about.all),
    )


def _sum(one: Erasure, other: Erasure) -> Erasure:
    return Erasure(
        memories=one.memories + other.memories,
        derived=one.derived + other.derived,
        vectors=one.vectors + other.vectors,
        dry_run=False,
    )


async def _number(connection: Connection, request: EraseRequest) -> int:
    """Of memories that name the actor."""
    cursor = await connection.execute(
        "SELECT count(*) FROM episode WHERE namespace = %s AND actor = %s", [request.namespace, request.actor]
    )
    row = await cursor.fetchone()
    return 0 if row is None else int(row[0])


async def _about(connection: Connection, request: EraseRequest, *, rows: int) -> _About:
    values = {"namespace": request.namespace, "actor": request.actor, "rows": rows}
    cursor = await connection.execute(_ABOUT, values)
    found = await cursor.fetchall()
    return _About([each for each, own in found if own], [each for each, own in found if not own])


async def _settled(connection: Connection, request: EraseRequest) -> _About:
    """Some of the actor once nobody else changes it: locked, and looked for until nothing is added."""
    known: set[UUID] = set()
    while True:
        about = await _about(connection, request, rows=ROWS)
        if known.issuperset(about.all):
            return about
        known.update(about.all)
        await connection.execute(
            "SELECT FROM episode WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [sorted(known)]
        )


async def _delete(connection: Connection, namespace: str, ids: list[UUID]) -> None:
    values = {"ids": ids, "namespace": namespace}
    for statement in (
        "UPDATE episode SET superseded_by = NULL WHERE superseded_by = ANY(%(ids)s) AND id <> ALL(%(ids)s)",
        "UPDATE change SET reason = '' WHERE id = ANY(%(ids)s)",
        "INSERT INTO change (namespace, did, id) SELECT %(namespace)s, 'erased', unnest(%(ids)s::uuid[])",
        "DELETE FROM episode WHERE id = ANY(%(ids)s)",
    ):
        await connection.execute(statement, values)


async def _remains(connection: Connection, ids: list[UUID]) -> int:
    """How much is found of memories that should be gone, anywhere but in the change log."""
    cursor = await connection.execute(
        "SELECT (SELECT count(*) FROM episode WHERE id = ANY(%(ids)s))"
        " + (SELECT count(*) FROM derivation WHERE derived = ANY(%(ids)s) OR origin = ANY(%(ids)s))"
        " + (SELECT count(*) FROM usage WHERE id = ANY(%(ids)s))"
        " + (SELECT count(*) FROM unembedded WHERE id = ANY(%(ids)s))",
        {"ids": ids},
    )
    row = await cursor.fetchone()
    return (0 if row is None else int(row[0])) + await placing.count(connection, ids)
