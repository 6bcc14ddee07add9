"""Export and import over HTTP, streamed both ways."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Literal

import anyio
from emily_contracts.curation import StatsRequest
from emily_runtime.problems import Problem
from emily_runtime.rest import StrictRequest, responses
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.response import Stream

from emily_memory.api import drafts
from emily_memory.api.rooms import OneAtATime, Rooms
from emily_memory.errors import MemoryRefused
from emily_memory.transfer.exporting import compressed, export
from emily_memory.transfer.importing import Imported, take_in

REST_TIMEOUT_S = 5.0
"""For the rest of a refused file to come, so that its sender reads the answer and no broken pipe."""

Namespace = Annotated[str, QueryParameter(description="Where the memories are.")]
Target = Annotated[
    str | None,
    QueryParameter(required=False, description="Where the memories go; by default where they come from."),
]
Compression = Annotated[
    Literal["none", "zstd"], QueryParameter(required=False, description="How the file is packed.")
]


@get("/export", responses=responses(Problem, 400, 422, 429, 503))
async def export_memories(
    namespace: Namespace,
    rooms: NamedDependency[Rooms],
    doors: NamedDependency[OneAtATime],
    compression: Compression = "none",
) -> Stream:
    """A namespace in all its versions as JSON lines, of one moment; import takes them in again."""
    drafts.fitting(StatsRequest, namespace=namespace)
    packed = compression == "zstd"
    chunks = _exported(rooms, doors, namespace, packed=packed)
    first = await anext(chunks)
    name = f"{namespace}.jsonl{'.zst' if packed else ''}"
    return Stream(
        _with_first(first, chunks),
        media_type="application/zstd" if packed else "application/jsonl",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@post(
    "/import", status_code=200, request_max_body_size=None, responses=responses(Problem, 400, 422, 429, 503)
)
async def import_memories(
    request: StrictRequest,
    rooms: NamedDependency[Rooms],
    doors: NamedDependency[OneAtATime],
    namespace: Target = None,
) -> Imported:
    """Takes in the lines of an export, plain or zstd; what is known already adds nothing."""
    drafts.fitting(StatsRequest, namespace=namespace)
    body = request.stream()
    try:
        with doors.alone("import"):
            return await take_in(rooms.database, body, namespace=namespace)
    except MemoryRefused:
        with anyio.move_on_after(REST_TIMEOUT_S):
            async for _ in body:
                pass
        raise


async def _exported(
    rooms: Rooms, doors: OneAtATime, namespace: str, *, packed: bool
) -> AsyncGenerator[bytes]:
    with doors.alone("export"):
        plain = export(rooms.database, namespace)
        async with aclosing(compressed(plain) if packed else plain) as chunks:
            async for chunk in chunks:
                yield chunk


async def _with_first(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(rest):
        yield first
        async for chunk in rest:
            yield chunk


ROUTES = (export_memories, import_memories)
