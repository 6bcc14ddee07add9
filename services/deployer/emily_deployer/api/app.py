"""The HTTP API as one application, with its own documentation."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from emily_runtime.problems import Problem, ProblemError
from emily_runtime.rest import HANDLERS, StrictRequest, only_from, respond
from emily_runtime.tokens import Tokens, TokensUnreadable, Unauthorised
from litestar import Litestar, Request, Response, Router
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from emily_deployer.api import deploys
from emily_deployer.desk import Desk
from emily_deployer.errors import BadOrder, Busy, Closed, NoDeploy, NotNow, StepFailed

LARGEST_BODY = 2**16
RETRY_AFTER_S = 1

type _Request = Request[Any, Any, Any]
type _Answer = Response[Problem]


def create_app(
    open_desk: Callable[[], Desk], *, tokens: Tokens, allowed_hosts: Collection[str], version: str
) -> Litestar:
    """The ASGI application.

    Args:
        open_desk: Gives the desk, or raises `Closed` while there is none.
        tokens: Of those who may deploy.
        allowed_hosts: Names under which it is asked, and whose pages may ask.
        version: Of the service.
    """

    async def who_asks(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        connection.state.author = await tokens.owner_of_header(connection.headers.get("authorization"))

    return Litestar(
        [Router("/api/v1/deploys", route_handlers=deploys.ROUTES, guards=[who_asks])],
        before_request=only_from(allowed_hosts),
        dependencies={"desk": Provide(open_desk, sync_to_thread=False)},
        exception_handlers={**HANDLERS, **REFUSALS},
        openapi_config=OpenAPIConfig(
            title="Emily's deploys",
            version=version,
            description="Replaces one colour by another while traffic flows.",
            path="/docs",
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
            use_handler_docstrings=True,
        ),
        request_class=StrictRequest,
        request_max_body_size=LARGEST_BODY,
        logging_config=None,
    )


def _refusal(title: str, status: int, field: str | None = None) -> Callable[[_Request, Exception], _Answer]:
    def handler(_: _Request, error: Exception) -> _Answer:
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
        if status == 503:
            headers = {"Retry-After": str(RETRY_AFTER_S)}
        return respond(
            ProblemError(Problem(title=title, status=status, detail=str(error), field=field), headers)
        )

    return handler


REFUSALS: dict[Any, Any] = {
    Unauthorised: _refusal("Unauthorized", 401, "Authorization"),
    TokensUnreadable: _refusal("Unavailable", 503),
    NoDeploy: _refusal("Not found", 404),
    Busy: _refusal("Busy", 409),
    NotNow: _refusal("Not now", 409),
    BadOrder: _refusal("Invalid field", 422, "version"),
    StepFailed: _refusal("Unavailable", 503),
    Closed: _refusal("Unavailable", 503),
}
