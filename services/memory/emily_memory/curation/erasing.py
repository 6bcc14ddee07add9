"""Erasure: everything about an actor goes at once, and a second look says whether anything is left."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from emily_contracts.curation import EraseRequest, Erasure
from emily_postgres import Connection

from emily_memory.store import placing, word_counts
from emily_memory.store.database import Database

_ABOUT = (
    "WITH RECURSIVE link (origin, other) AS NOT MATERIALIZED ("
    " SELECT o.id, o.superseded_by FROM episode o WHERE o.namespace = %(namespace)s"
    "  AND o.retracted_at IS NOT NULL AND o.superseded_by IS NOT NULL AND NOT EXISTS"
    "  (SELECT FROM derivation d WHERE d.derived = o.superseded_by AND d.origin = o.id)),"
    " version (id) AS ("
    " SELECT id FROM episode WHERE namespace = %(namespace)s AND actor = %(actor)s"
    " UNION SELECT n.id FROM version v CROSS JOIN LATERAL ("
    "  SELECT other AS id FROM link WHERE origin = v.id"
    "  UNION ALL SELECT origin FROM link WHERE other = v.id) n),"
    " involved (id) AS ("
    " SELECT id FROM version UNION SELECT n.id FROM involved i CROSS JOIN LATERAL ("
    "  SELECT derived AS id FROM derivation WHERE origin = i.id"
    "  UNION ALL SELECT other FROM link WHERE origin = i.id"
    "  UNION ALL SELECT origin FROM link WHERE other = i.id) n)"
    " SELECT e.id, e.id IN (SELECT id FROM version) FROM involved JOIN episode e USING (id) ORDER BY e.id"
)
"""The actor's memories in every version, and whatever was derived from one of them, in every version.

A link joins a corrected version with its correction; the memories that a merge replaced are not versions
of it, since they may be about somebody else.
"""


class _About(NamedTuple):
    own: list[UUID]
    derived: list[UUID]

    @property
    def all(self) -> list[UUID]:
        return [*self.own, *self.derived]


async def erase(database: Database, request: EraseRequest) -> Erasure:
    """What was removed of an actor, or would be.

    Versions, summaries and merges that drew on them, vectors in every space, uses and counted words go; the
    change log keeps that something was erased, without a reason or a word of it.
    """
    async with database.writer.connection() as connection:
        if request.dry_run:
            async with connection.transaction():
                about = await _about(connection, request)
                found = await placing.count(connection, about.all)
            return Erasure(memories=len(about.own), derived=len(about.derived), vectors=found, dry_run=True)
        async with connection.transaction():
            about = await _settled(connection, request)
            removed = await placing.remove(connection, about.all)
            await word_counts.take_out(connection, about.all)
            await _delete(connection, request.namespace, about.all)
        async with connection.transaction():
            left = len((await _about(connection, request)).all)
            left += await _remains(connection, about.all)
    return Erasure(
        memories=len(about.own), derived=len(about.derived), vectors=removed, dry_run=False, left=left
    )


async def _about(connection: Connection, request: EraseRequest) -> _About:
    cursor = await connection.execute(_ABOUT, {"namespace": request.namespace, "actor": request.actor})
    rows = await cursor.fetchall()
    return _About([each for each, own in rows if own], [each for each, own in rows if not own])


async def _settled(connection: Connection, request: EraseRequest) -> _About:
    """What is about the actor once nobody else changes it: locked, and looked for until nothing is added."""
    known: set[UUID] = set()
    while True:
        about = await _about(connection, request)
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
        "UPDATE change SET reason = '' WHERE id = ANY(%(ids)s) OR other = ANY(%(ids)s)",
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
