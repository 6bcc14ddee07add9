"""What a person says of a memory: it was wrong, it no longer holds, it shall be forgotten or brought back.

Nothing is overwritten: a correction and a new truth are rows of their own, and each step is noted in
`change` in the same transaction. A request that comes twice has the effect of one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from emily_contracts.curation import EditRequest, ForgetRequest, Memory, SupersedeRequest
from emily_contracts.envelope import Message, successor_id
from emily_postgres import Connection
from msgspec import UNSET
from psycopg import sql
from psycopg.errors import UniqueViolation

from emily_memory.errors import MemoryRefused
from emily_memory.store import placing, remembered
from emily_memory.store.database import Database
from emily_memory.store.record import COLUMNS, content_hash, row

EDITABLE = (
    "content",
    "kind",
    "actor",
    "importance",
    "valence",
    "arousal",
    "dominance",
    "context",
    "pinned",
    "expires_at",
)
_INSERT = sql.SQL("INSERT INTO episode ({}, recorded_at, superseded_by) VALUES ({})").format(
    sql.SQL(", ").join(map(sql.Identifier, COLUMNS)),
    sql.SQL(", ").join([sql.Placeholder()] * (len(COLUMNS) + 2)),
)


async def edit(database: Database, request: EditRequest) -> Memory:
    """The corrected version; it holds when the old one held, which is retracted and stays in the history.

    Raises:
        NotFound: There is no such memory.
        MemoryRefused: It is retracted or forgotten, nothing is changed, or a value does not fit.
    """
    given = {name: getattr(request, name) for name in EDITABLE if getattr(request, name) is not UNSET}
    if not given:
        raise MemoryRefused(f"fields: nothing to change is given; give one of {', '.join(EDITABLE)}")
    new = successor_id(request.id, f"edit {request.memory_id}")
    async with database.writer.connection() as connection:
        async with connection.transaction():
            old = await _locked(connection, request.namespace, request.memory_id)
            if old.superseded_by != new or old.retracted_at is None:
                await _correct(connection, old, new, given, request)
        return await remembered.one(connection, request.namespace, new)


async def supersede(database: Database, request: SupersedeRequest) -> Memory:
    """What holds from now on, or from `valid_from`; the old memory held until then.

    Raises:
        NotFound: There is no such memory.
        MemoryRefused: It is retracted, forgotten or superseded already, or `valid_from` is before its own.
    """
    new = successor_id(request.id, f"supersede {request.memory_id}")
    async with database.writer.connection() as connection:
        async with connection.transaction():
            old = await _locked(connection, request.namespace, request.memory_id)
            if old.superseded_by != new:
                await _replace(connection, old, new, request)
        return await remembered.one(connection, request.namespace, new)


async def forget(database: Database, request: ForgetRequest) -> Memory:
    """The memory, archived without its vectors or brought back; pinned ones too, since a person asks.

    Raises:
        NotFound: There is no such memory.
        MemoryRefused: It is retracted; its correction is what can be forgotten.
    """
    identity = request.memory_id
    async with database.writer.connection() as connection:
        async with connection.transaction():
            old = await _locked(connection, request.namespace, identity)
            _require_believed(old)
            if request.restore and old.archived_at is not None:
                await connection.execute(
                    "UPDATE episode SET archived_at = NULL, expires_at = CASE"
                    " WHEN expires_at > now() THEN expires_at END WHERE id = %s",
                    [identity],
                )
                await placing.await_embedding(connection, identity)
                await note(connection, request.namespace, "restored", identity, reason=request.reason)
            elif not request.restore and old.archived_at is None:
                await connection.execute(
                    "UPDATE episode SET archived_at = clock_timestamp() WHERE id = %s", [identity]
                )
                await placing.remove(connection, [identity])
                await note(connection, request.namespace, "forgotten", identity, reason=request.reason)
        return await remembered.one(connection, request.namespace, identity)


async def note(
    connection: Connection,
    namespace: str,
    did: str,
    identity: UUID,
    *,
    other: UUID | None = None,
    reason: str = "",
) -> None:
    """Say in `change` what was done to a memory."""
    await connection.execute(
        "INSERT INTO change (namespace, did, id, other, reason) VALUES (%s, %s, %s, %s, %s)",
        [namespace, did, identity, other, reason],
    )


async def _correct(
    connection: Connection, old: Memory, new: UUID, given: dict[str, Any], request: EditRequest
) -> None:
    _require_believed(old)
    _require_remembered(old)
    corrected = _changed(old, new, given)
    at = await _now(connection, old)
    await connection.execute(
        "UPDATE episode SET retracted_at = %s, superseded_by = %s WHERE id = %s", [at, new, old.id]
    )
    source = {**old.source, "edited_by": str(request.id)}
    await _insert(connection, corrected, source, at, old.superseded_by)
    ids = {"old": old.id, "new": new}
    await connection.execute(
        "INSERT INTO usage SELECT %(new)s, namespace, uses, used_at FROM usage WHERE id = %(old)s", ids
    )
    await connection.execute(
        "INSERT INTO derivation SELECT %(new)s, origin, namespace FROM derivation WHERE derived = %(old)s",
        ids,
    )
    if corrected.content == old.content:
        await placing.hand_over(connection, old.id, new)
    else:
        await placing.remove(connection, [old.id])
        await placing.await_embedding(connection, new)
    await note(connection, old.namespace, "edited", old.id, other=new, reason=request.reason)


async def _replace(connection: Connection, old: Memory, new: UUID, request: SupersedeRequest) -> None:
    _require_believed(old)
    _require_remembered(old)
    if old.superseded_by is not None:
        raise MemoryRefused(f"memory_id: {old.superseded_by} stands in place of {old.id}; take that")
    at = await _now(connection, old)
    later = _later(old, new, request, at)
    await connection.execute(
        "UPDATE episode SET valid_to = least(valid_to, %s), superseded_by = %s WHERE id = %s",
        [later.valid_from, new, old.id],
    )
    await _insert(connection, later, _source(request), at, None)
    await placing.await_embedding(connection, new)
    await note(connection, old.namespace, "superseded", old.id, other=new, reason=request.reason)


def _changed(old: Memory, new: UUID, given: dict[str, Any]) -> Memory:
    try:
        return msgspec.structs.replace(old, id=new, **given)
    except ValueError as failure:
        raise MemoryRefused(str(failure)) from None


def _later(old: Memory, new: UUID, request: SupersedeRequest, at: datetime) -> Memory:
    begins, before = request.valid_from or at, old.valid_from or old.occurred_at
    if begins <= before:
        raise MemoryRefused(
            f"valid_from: {begins.isoformat()} is not after {before.isoformat()}; edit instead"
        )
    return msgspec.structs.replace(
        old,
        id=new,
        content=request.content,
        occurred_at=begins,
        valid_from=begins,
        valid_to=None,
        expires_at=old.expires_at if old.expires_at is not None and old.expires_at > at else None,
    )


async def _locked(connection: Connection, namespace: str, identity: UUID) -> Memory:
    """The memory as it is when nobody else can change it any more."""
    await connection.execute("SELECT FROM episode WHERE id = %s FOR UPDATE", [identity])
    return await remembered.one(connection, namespace, identity)


async def _now(connection: Connection, old: Memory) -> datetime:
    """The time of a new version; after its predecessor's, even when the clock goes backwards."""
    cursor = await connection.execute(
        "SELECT greatest(clock_timestamp(), %s::timestamptz + interval '1 microsecond')", [old.recorded_at]
    )
    row = await cursor.fetchone()
    at: datetime = row[0]  # type: ignore[index]  # a SELECT without FROM gives one row
    return at


async def _insert(
    connection: Connection, memory: Memory, source: dict[str, str], at: datetime, superseded_by: UUID | None
) -> None:
    try:
        async with connection.transaction():
            await connection.execute(_INSERT, [*row(memory.namespace, memory, source), at, superseded_by])
    except UniqueViolation:
        cursor = await connection.execute(
            "SELECT id FROM episode WHERE namespace = %s AND content_hash = %s AND retracted_at IS NULL",
            [memory.namespace, content_hash(memory)],
        )
        known = await cursor.fetchone()
        holder = "another memory" if known is None else f"memory {known[0]}"
        raise MemoryRefused(
            f"content: {holder} holds the same of the same moment; forget one of the two"
        ) from None


def _require_believed(memory: Memory) -> None:
    if memory.retracted_at is not None:
        raise MemoryRefused(
            f"memory_id: {memory.id} was corrected and counts no more; take {memory.superseded_by}"
        )


def _require_remembered(memory: Memory) -> None:
    if memory.archived_at is not None:
        raise MemoryRefused(f"memory_id: {memory.id} is forgotten; restore it first")


def _source(request: Message) -> dict[str, str]:
    source = {"message": str(request.id), "stimulus": str(request.stimulus_id)}
    if request.causation_id is not None:
        source["causation"] = str(request.causation_id)
    return source
