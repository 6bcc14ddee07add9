"""The API of changes; whoever asks needs a token."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Any

from emily_flags import InvalidFlag
from emily_runtime.problems import Problem, ProblemError
from emily_runtime.rest import StrictRequest, responses
from emily_runtime.tokens import Tokens
from litestar import Response, delete, get, put
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter

from emily_flag_service.api.views import (
    LONGEST_REASON,
    TEXT,
    FlagDraft,
    FlagHistory,
    FlagList,
    FlagView,
    view,
)
from emily_flag_service.book import Book
from emily_flag_service.errors import FlagServiceError
from emily_flag_service.experiment.report import Report

_VERSION = re.compile(r'\s*"(\d{1,18})"\s*')

IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        required=False,
        description="The ETag of the version that is replaced; 412 when it has another by now.",
    ),
]
IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-None-Match", required=False, description="`*` for a flag that must not be there yet."
    ),
]


def _problems(*statuses: int) -> dict[int, ResponseSpec]:
    return responses(Problem, *statuses)


def who_asks(
    tokens: Tokens,
) -> Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]:
    """A guard that lets only owners of tokens in, and notes whose token it was."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        connection.state.author = await tokens.owner_of_header(connection.headers.get("authorization"))

    return guard


@get("/", responses=_problems(401, 503))
async def list_flags(book: NamedDependency[Book]) -> FlagList:
    """All flags."""
    flags = tuple(view(book.flags[key], book.versions[key]) for key in sorted(book.flags))
    return FlagList(revision=book.revision, flags=flags)


@get("/{key:str}", responses=_problems(401, 404, 503))
async def show_flag(key: FromPath[str], book: NamedDependency[Book]) -> Response[FlagView]:
    """One flag; its ETag is what a change of it has to send."""
    return _tagged(book, key)


@put("/{key:str}", status_code=200, responses=_problems(400, 401, 412, 422, 428, 503))
async def put_flag(
    key: FromPath[str],
    data: JSONBody[FlagDraft],
    request: StrictRequest,
    book: NamedDependency[Book],
    *,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Response[FlagView]:
    """Defines a flag anew, unless somebody else changed it first; it is on its way to every replica then."""
    expected = _expected(if_match, if_none_match)
    with _counting(book):
        await book.put(
            key, data.definition, expected=expected, author=request.state.author, reason=data.reason
        )
    return _tagged(book, key)


@delete("/{key:str}", status_code=204, responses=_problems(401, 404, 412, 422, 428, 503))
async def delete_flag(
    key: FromPath[str],
    request: StrictRequest,
    book: NamedDependency[Book],
    if_match: IfMatch = None,
    reason: Annotated[str, QueryParameter(max_length=LONGEST_REASON, pattern=TEXT)] = "",
) -> None:
    """Deletes a flag that no other needs; its history stays."""
    expected = _expected(if_match, None)
    with _counting(book):
        await book.delete(key, expected=expected, author=request.state.author, reason=reason)


@get("/{key:str}/history", responses=_problems(401, 404, 503))
async def show_history(
    key: FromPath[str],
    book: NamedDependency[Book],
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> FlagHistory:
    """What was done to a flag, by whom and why, newest first."""
    return FlagHistory(key=key, changes=tuple(await book.history(key, limit=limit)))


@get("/{key:str}/experiment", responses=_problems(401, 404, 503))
async def show_experiment(
    key: FromPath[str],
    book: NamedDependency[Book],
    version: Annotated[int | None, QueryParameter(ge=1, le=2**53)] = None,
) -> Report:
    """What became of the subjects of each variant since the flag was changed last, and whether it differs.

    An earlier version of the flag is asked for by its number.
    """
    return await book.experiment(key, version)


ROUTES = (list_flags, show_flag, put_flag, delete_flag, show_history, show_experiment)


@contextlib.contextmanager
def _counting(book: Book) -> Iterator[None]:
    """Counts what is refused."""
    try:
        yield
    except (InvalidFlag, FlagServiceError) as refusal:
        book.metrics.refused.labels(type(refusal).__name__.lower()).inc()
        raise


def _tagged(book: Book, key: str) -> Response[FlagView]:
    flag = book.flag(key)
    version = book.versions[key]
    return Response(view(flag, version), headers={"ETag": f'"{version}"'})


def _expected(if_match: str | None, if_none_match: str | None) -> int:
    """The version that is replaced; 0 for none."""
    if if_match is None and if_none_match is not None and if_none_match.strip() == "*":
        return 0
    if if_match is None:
        detail = 'If-Match: send the ETag of the flag that you looked at, or "If-None-Match: *" for a new one'
        raise ProblemError(
            Problem(title="Precondition required", status=428, detail=detail, field="If-Match")
        )
    version = _VERSION.fullmatch(if_match)
    if version is None or version[1] == "0":
        raise ProblemError(
            Problem(
                title="Invalid field",
                status=422,
                detail=f'If-Match: {if_match[:40]!r} is no version; send it as "3"',
                field="If-Match",
            )
        )
    return int(version[1])
