"""The HTTP API as one application, with its own documentation."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import psycopg
from emily_flags import InvalidFlag
from emily_runtime.problems import Problem, ProblemError
from emily_runtime.rest import HANDLERS, StrictRequest, only_from, respond
from emily_runtime.tokens import Tokens, TokensUnreadable, Unauthorised
from litestar import Litestar, Request, Response, Router
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from openfeature.exception import ErrorCode
from psycopg_pool import PoolTimeout

from emily_flag_service.api import flags, ofrep
from emily_flag_service.book import Book
from emily_flag_service.errors import Closed, NoSuchFlag, Outdated

LARGEST_BODY = 2**20
LARGEST_CONTEXT = 2**16
RETRY_AFTER_S = 1

type _Request = Request[Any, Any, Any]
type _Answer = Response[Problem]


def create_app(
    open_book: Callable[[], Book], *, tokens: Tokens, allowed_hosts: Collection[str], version: str
) -> Litestar:
    """The ASGI application.

    Args:
        open_book: Gives the flags, or raises `Closed` while there are none.
        tokens: Of those who may change them.
        allowed_hosts: Names under which it is asked, and whose pages may ask.
        version: Of the service.
    """
    return Litestar(
        [
            Router("/api/v1/flags", route_handlers=flags.ROUTES, guards=[flags.who_asks(tokens)]),
            Router(
                "/",
                route_handlers=ofrep.ROUTES,
                exception_handlers={Closed: _not_ready},
                request_max_body_size=LARGEST_CONTEXT,
            ),
        ],
        before_request=only_from(allowed_hosts),
        dependencies={"book": Provide(open_book, sync_to_thread=False)},
        exception_handlers={**HANDLERS, **REFUSALS},
        openapi_config=OpenAPIConfig(
            title="Emily's flags",
            version=version,
            description="OFREP for any OpenFeature SDK; changes with a token, and a history.",
            path="/docs",
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
            use_handler_docstrings=True,
        ),
        request_class=StrictRequest,
        request_max_body_size=LARGEST_BODY,
        logging_config=None,
    )


def _invalid(_: _Request, error: InvalidFlag) -> _Answer:
    field = ".".join(filter(None, ("definition", error.field)))
    return respond(ProblemError(Problem(title="Invalid field", status=422, detail=str(error), field=field)))


def _missing(_: _Request, error: NoSuchFlag) -> _Answer:
    return respond(ProblemError(Problem(title="Not found", status=404, detail=str(error), field="key")))


def _outdated(_: _Request, error: Outdated) -> _Answer:
    problem = Problem(title="Changed meanwhile", status=412, detail=str(error), field="If-Match")
    headers = {"ETag": f'"{error.version}"'} if error.version else {}
    return respond(ProblemError(problem, headers))


def _unauthorised(_: _Request, error: Unauthorised) -> _Answer:
    problem = Problem(title="Unauthorized", status=401, detail=str(error), field="Authorization")
    return respond(ProblemError(problem, {"WWW-Authenticate": "Bearer"}))


def _away(_: _Request, error: Exception) -> _Answer:
    worded = isinstance(error, Closed | TokensUnreadable)
    detail = str(error) if worded else f"database: {type(error).__name__}; ask again later"
    problem = Problem(title="Unavailable", status=503, detail=detail)
    return respond(ProblemError(problem, {"Retry-After": str(RETRY_AFTER_S)}))


def _not_ready(_: _Request, error: Closed) -> Response[Any]:
    answer = ofrep.refused(ErrorCode.PROVIDER_NOT_READY, str(error), 503)
    answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    return answer


REFUSALS: dict[Any, Any] = {
    InvalidFlag: _invalid,
    NoSuchFlag: _missing,
    Outdated: _outdated,
    Unauthorised: _unauthorised,
    TokensUnreadable: _away,
    Closed: _away,
    psycopg.OperationalError: _away,
    PoolTimeout: _away,
}
