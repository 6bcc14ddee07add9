"""The HTTP API of memory as one application, with its own documentation."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import psycopg
from emily_runtime.problems import Problem, ProblemError, field_of
from emily_runtime.rest import HANDLERS, StrictRequest, only_from, respond
from litestar import Litestar, Request, Response, Router
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from psycopg_pool import PoolTimeout

from emily_memory.api import files, memories
from emily_memory.api.rooms import OneAtATime, Rooms
from emily_memory.errors import MemoryRefused, NotFound, Overloaded, StoreUnavailable

LARGEST_BODY = 2**20
RETRY_AFTER_S = 1

_Request = Request[Any, Any, Any]
_Answer = Response[Problem]


def create_app(open_rooms: Callable[[], Rooms], *, version: str, allowed_hosts: Collection[str]) -> Litestar:
    """The ASGI application.

    Args:
        open_rooms: Gives the open memory, or raises `StoreUnavailable` while there is none.
        version: Of the service.
        allowed_hosts: Names under which it is asked, and whose pages may ask.
    """
    doors = OneAtATime()
    return Litestar(
        [Router("/api/v1/memories", route_handlers=[*memories.ROUTES, *files.ROUTES])],
        before_request=only_from(allowed_hosts),
        dependencies={
            "rooms": Provide(open_rooms, sync_to_thread=False),
            "doors": Provide(lambda: doors, sync_to_thread=False),
        },
        exception_handlers={**HANDLERS, **REFUSALS},
        openapi_config=OpenAPIConfig(
            title="Emily's memory",
            version=version,
            description="Stored durably, recalled by meaning, words and feeling, and in people's hands.",
            path="/docs",
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
            use_handler_docstrings=True,
        ),
        request_class=StrictRequest,
        request_max_body_size=LARGEST_BODY,
        logging_config=None,
    )


def _refused(_: _Request, error: MemoryRefused) -> _Answer:
    detail = str(error)
    field = field_of(detail.partition(", ")[2] if detail.startswith("line ") else detail)
    return respond(ProblemError(Problem(title="Invalid field", status=422, detail=detail, field=field)))


def _missing(_: _Request, error: NotFound) -> _Answer:
    return respond(ProblemError(Problem(title="Not found", status=404, detail=str(error), field="id")))


def _overloaded(_: _Request, error: Overloaded) -> _Answer:
    problem = Problem(title="Overloaded", status=429, detail=str(error))
    return respond(ProblemError(problem, {"Retry-After": str(RETRY_AFTER_S)}))


def _away(_: _Request, error: Exception) -> _Answer:
    detail = str(error) if isinstance(error, StoreUnavailable) else f"database: {type(error).__name__}"
    problem = Problem(title="Unavailable", status=503, detail=f"{detail}; ask again later")
    return respond(ProblemError(problem, {"Retry-After": str(RETRY_AFTER_S)}))


REFUSALS: dict[Any, Any] = {
    NotFound: _missing,
    Overloaded: _overloaded,
    StoreUnavailable: _away,
    MemoryRefused: _refused,
    psycopg.OperationalError: _away,
    PoolTimeout: _away,
}
