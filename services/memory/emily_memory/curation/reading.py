"""What is remembered, for a person to look at: one memory, its history, a list by pages."""

from __future__ import annotations

import base64
import binascii
import struct
from datetime import UTC, datetime, timedelta
from uuid import UUID

from emily_contracts import Selection
from emily_contracts.curation import Change, History, ListRequest, Memory, Page, ShowRequest
from psycopg import sql

from emily_memory.errors import MemoryRefused
from emily_memory.recall.selection import Conditions, conditions
from emily_memory.store import remembered
from emily_memory.store.database import Database

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = struct.Struct(">q16s")

_LINEAGE = (
    "WITH RECURSIVE version (id, successor) AS ("
    " SELECT id, superseded_by FROM episode WHERE namespace = %(namespace)s AND id = %(id)s"
    " UNION SELECT e.id, e.superseded_by FROM version v JOIN episode e"
    " ON e.namespace = %(namespace)s AND (e.id = v.successor OR e.superseded_by = v.id))"
    " SELECT id FROM version"
)


async def show(database: Database, request: ShowRequest) -> Memory:
    """One memory, whatever became of it.

    Raises:
        NotFound: There is none of that id in the namespace.
    """
    async with database.reading(request.namespace) as connection:
        return await remembered.one(connection, request.namespace, request.id)


async def history(database: Database, request: ShowRequest) -> History:
    """All versions that lead to a memory or from it, oldest first, and what was done to them.

    Raises:
        NotFound: There is none of that id in the namespace.
    """
    namespace = request.namespace
    async with database.reading(namespace) as connection:
        cursor = await connection.execute(_LINEAGE, {"namespace": namespace, "id": request.id})
        ids = [identity for (identity,) in await cursor.fetchall()]
        query = sql.SQL("{} WHERE e.id = ANY(%(ids)s) ORDER BY e.recorded_at, e.id").format(
            remembered.SELECTED
        )
        versions = await remembered.found(connection, query, {"ids": ids})
        if not versions:
            raise remembered.missing(namespace, request.id)
        changes = await connection.execute(
            "SELECT at, did, id, other, reason FROM change WHERE id = ANY(%s) ORDER BY at, number", [ids]
        )
        rows = await changes.fetchall()
    return History(
        versions=versions,
        changes=tuple(
            Change(at=at, did=did, id=identity, other=other, reason=reason)
            for at, did, identity, other, reason in rows
        ),
    )


async def list_memories(database: Database, request: ListRequest) -> Page:
    """A page of a selection, newest first; memories that come in meanwhile move no page.

    Raises:
        MemoryRefused: `after` is not `next` of a page.
    """
    selected, values = conditions(request.namespace, request)
    where = (_forgotten(request, selected) if request.archived else selected).of_episode()
    if request.after is not None:
        at, identity = place(request.after)
        where = sql.SQL("{} AND (e.occurred_at, e.id) < (%(after_at)s, %(after_id)s)").format(where)
        values |= {"after_at": at, "after_id": identity}
    query = sql.SQL("{} WHERE {} ORDER BY e.occurred_at DESC, e.id DESC LIMIT %(rows)s").format(
        remembered.SELECTED, where
    )
    async with database.reading(request.namespace) as connection:
        memories = await remembered.found(connection, query, values | {"rows": request.limit + 1})
    if len(memories) <= request.limit:
        return Page(memories=memories)
    last = memories[request.limit - 1]
    return Page(memories=memories[: request.limit], next=cursor_of(last.occurred_at, last.id))


def cursor_of(at: datetime, identity: UUID) -> str:
    """What a page's `next` says: the place of its last memory."""
    microseconds = (at - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(_CURSOR.pack(microseconds, identity.bytes)).decode()


def place(cursor: str) -> tuple[datetime, UUID]:
    """The place that `cursor_of` told.

    Raises:
        MemoryRefused: It told no such thing.
    """
    try:
        microseconds, identity = _CURSOR.unpack(base64.b64decode(cursor, altchars=b"-_", validate=True))
        return _EPOCH + timedelta(microseconds=microseconds), UUID(bytes=identity)
    except (binascii.Error, struct.error, OverflowError, ValueError):
        raise MemoryRefused(
            "after: is not the `next` of a page; leave it out to begin at the newest"
        ) from None


def _forgotten(request: ListRequest, selected: Conditions) -> Conditions:
    """The same of what is forgotten: what a selection that asks for nothing demands is to be held now."""
    held, _ = conditions(request.namespace, Selection())
    asked_for = tuple(each for each in selected.on_episode if each not in held.on_episode)
    believed = ("e.retracted_at IS NULL",) if request.known_at is None else ()
    return selected._replace(on_episode=(*asked_for, "e.archived_at IS NOT NULL", *believed))
