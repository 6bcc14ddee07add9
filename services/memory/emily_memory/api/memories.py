"""What people do with single memories over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import anyio
import msgspec
from emily_contracts import Recall, RecallRequest, Store, StoreRequest
from emily_contracts.curation import (
    Erasure,
    History,
    ListRequest,
    Memory,
    Page,
    ShowRequest,
    Stats,
    StatsRequest,
)
from emily_runtime.problems import Problem, ProblemError
from emily_runtime.rest import responses
from litestar import delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from emily_memory.api import drafts
from emily_memory.api.rooms import Rooms
from emily_memory.curation import correcting, counting, erasing, reading
from emily_memory.errors import MemoryRefused

InNamespace = Annotated[str, QueryParameter(name="namespace")]
Reason = Annotated[str, QueryParameter(required=False, max_length=1024, description="In your words.")]
Words = Annotated[
    list[str] | None,
    QueryParameter(required=False, description="KEY=WORD, repeated: all of these words under these keys."),
]
Moment = Annotated[datetime | None, QueryParameter(required=False, description="RFC 3339 with a time zone.")]


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each episode, in the order in which they were sent."""

    stored: tuple[Store, ...]


@get("/", responses=responses(Problem, 400, 422, 503))
async def list_memories(
    *,
    namespace: InNamespace,
    rooms: NamedDependency[Rooms],
    limit: Annotated[int, QueryParameter(ge=1, le=1000, required=False)] = 50,
    after: Annotated[
        str | None, QueryParameter(required=False, description="`next` of the page before.")
    ] = None,
    archived: Annotated[
        bool, QueryParameter(required=False, description="What is forgotten and not yet purged.")
    ] = False,
    kind: Annotated[list[str] | None, QueryParameter(required=False, description="Repeatable.")] = None,
    actor: Annotated[str | None, QueryParameter(required=False)] = None,
    session: Annotated[str | None, QueryParameter(required=False)] = None,
    as_of: Moment = None,
    known_at: Moment = None,
    occurred_from: Moment = None,
    occurred_before: Moment = None,
    context: Words = None,
) -> Page:
    """A page of memories, newest first; the newest page by default."""
    request = drafts.fitting(
        ListRequest,
        namespace=namespace,
        limit=limit,
        after=after,
        archived=archived,
        kinds=kind or (),
        actor=actor,
        session=session,
        as_of=as_of,
        known_at=known_at,
        occurred_from=occurred_from,
        occurred_before=occurred_before,
        context=_words(context or []),
    )
    return await reading.list_memories(rooms.database, request)


@post("/", responses=responses(Problem, 400, 413, 422, 429, 503))
async def store(data: JSONBody[drafts.StoreDraft], rooms: NamedDependency[Rooms]) -> Stored:
    """Keeps episodes; answered when all are durable. The same moment stored again adds nothing."""
    requests = data.requests()
    became: list[Store | MemoryRefused] = [MemoryRefused("not tried")] * len(requests)

    async def keep(index: int, request: StoreRequest) -> None:
        try:
            became[index] = await rooms.store(request)
        except MemoryRefused as refusal:
            became[index] = refusal

    async with anyio.create_task_group() as tasks:
        for index, request in enumerate(requests):
            tasks.start_soon(keep, index, request)
    kept = [each for each in became if isinstance(each, Store)]
    for index, each in enumerate(became):
        if isinstance(each, MemoryRefused):
            raise type(each)(f"episodes[{index}]: {each}; {len(kept)} of {len(became)} are stored")
    return Stored(stored=tuple(kept))


@post("/search", status_code=200, responses=responses(Problem, 400, 413, 422, 503))
async def search(data: JSONBody[RecallRequest], rooms: NamedDependency[Rooms]) -> Recall:
    """Recalls the best episodes for words, meaning and feeling; `explain` tells the components of scores."""
    return await rooms.recall(data)


@get("/stats", responses=responses(Problem, 400, 503))
async def stats(
    rooms: NamedDependency[Rooms],
    namespace: Annotated[str | None, QueryParameter(required=False)] = None,
) -> Stats:
    """Counts what is remembered, of one namespace or of all."""
    return await counting.stats(rooms.database, drafts.fitting(StatsRequest, namespace=namespace))


@post("/erase", status_code=200, responses=responses(Problem, 400, 413, 422, 503))
async def erase(data: JSONBody[drafts.EraseDraft], rooms: NamedDependency[Rooms]) -> Erasure:
    """Removes everything about an actor and all that was derived from it; by default only counts."""
    done = await erasing.erase(rooms.database, drafts.sent(data))
    rooms.metrics.did(done)
    return done


@get("/{memory_id:uuid}", responses=responses(Problem, 400, 404, 503))
async def show(memory_id: FromPath[UUID], namespace: InNamespace, rooms: NamedDependency[Rooms]) -> Memory:
    """One memory with its record, whatever became of it."""
    return await reading.show(rooms.database, drafts.fitting(ShowRequest, namespace=namespace, id=memory_id))


@get("/{memory_id:uuid}/history", responses=responses(Problem, 400, 404, 503))
async def history(
    memory_id: FromPath[UUID], namespace: InNamespace, rooms: NamedDependency[Rooms]
) -> History:
    """All versions of a memory, oldest first, and what was done to them."""
    return await reading.history(
        rooms.database, drafts.fitting(ShowRequest, namespace=namespace, id=memory_id)
    )


@patch("/{memory_id:uuid}", responses=responses(Problem, 400, 404, 413, 422, 503))
async def edit(
    memory_id: FromPath[UUID], data: JSONBody[drafts.EditDraft], rooms: NamedDependency[Rooms]
) -> Memory:
    """Corrects a memory that was wrong; gives the new version."""
    return await correcting.edit(rooms.database, drafts.sent(data, memory_id=memory_id))


@post("/{memory_id:uuid}/supersede", status_code=200, responses=responses(Problem, 400, 404, 413, 422, 503))
async def supersede(
    memory_id: FromPath[UUID], data: JSONBody[drafts.SupersedeDraft], rooms: NamedDependency[Rooms]
) -> Memory:
    """Says what holds from now on; gives the new memory."""
    return await correcting.supersede(rooms.database, drafts.sent(data, memory_id=memory_id))


@delete("/{memory_id:uuid}", status_code=200, responses=responses(Problem, 400, 404, 422, 503))
async def forget(
    memory_id: FromPath[UUID], namespace: InNamespace, rooms: NamedDependency[Rooms], reason: Reason = ""
) -> Memory:
    """Forgets a memory; it is purged after a grace, and can be restored until then."""
    request = drafts.forgetting(memory_id, namespace=namespace, reason=reason)
    return await correcting.forget(rooms.database, request)


@post("/{memory_id:uuid}/restore", status_code=200, responses=responses(Problem, 400, 404, 413, 422, 503))
async def restore(
    memory_id: FromPath[UUID], data: JSONBody[drafts.RestoreDraft], rooms: NamedDependency[Rooms]
) -> Memory:
    """Brings back what was forgotten."""
    request = drafts.forgetting(memory_id, namespace=data.namespace, reason=data.reason, restore=True)
    return await correcting.forget(rooms.database, request)


def _words(pairs: list[str]) -> dict[str, str]:
    found = [pair.partition("=") for pair in pairs]
    for pair, (key, equals, _) in zip(pairs, found, strict=True):
        if not key or not equals:
            detail = f"context: {pair!r} is not KEY=WORD"
            raise ProblemError(Problem(title="Invalid field", status=422, detail=detail, field="context"))
    return {key: word for key, _, word in found}


ROUTES = (
    list_memories,
    store,
    search,
    stats,
    erase,
    show,
    history,
    edit,
    supersede,
    forget,
    restore,
)
