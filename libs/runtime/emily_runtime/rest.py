"""What the REST APIs of services share: bodies read strictly, and every error as a problem.

It needs Litestar, which a service that has an API depends on by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi import ResponseSpec
from litestar.types import ExceptionHandlersMap

from emily_runtime.problems import Problem, ProblemError, malformed

PROBLEM = "application/problem+json"
PARAMETERS = {"query", "path", "header", "cookie"}
"""Where a field may be beside the body."""


class StrictRequest(Request[Any, Any, Any]):
    """Decodes without coercion: the framework's own way takes the string "1" for a number."""

    async def json(self) -> Any:
        """The body as the handler's data type.

        Raises:
            ProblemError: 400 when it is not JSON, 422 when it does not fit; names the field.
        """
        field = self.route_handler.parsed_data_field
        try:
            return msgspec.json.decode(await self.body(), type=field.annotation if field else Any)
        except msgspec.DecodeError as error:
            raise malformed(error) from error
        except (UnicodeDecodeError, RecursionError) as error:
            raise ProblemError(
                Problem(title="Malformed JSON", status=400, detail=str(error), field="")
            ) from error


def only_from(hosts: Collection[str]) -> Callable[[Request[Any, Any, Any]], None]:
    """Refuses requests to another host name, or from the page of one: a browser that was led here.

    The refusal is a `ProblemError`, 421 or 403.
    """

    def require_known(request: Request[Any, Any, Any]) -> None:
        host = _host("//" + request.headers.get("host", ""))
        if host not in hosts:
            detail = f"Host: {host!r} is not served here; add it to allowed_hosts to allow it"
            raise ProblemError(Problem(title="Misdirected request", status=421, detail=detail, field="Host"))
        origin = request.headers.get("origin")
        if origin is not None and _host(origin) not in hosts:
            detail = (
                f"Origin: pages of {origin!r} may not ask here; add its host to allowed_hosts to allow it"
            )
            raise ProblemError(Problem(title="Forbidden", status=403, detail=detail, field="Origin"))

    return require_known


def respond(error: ProblemError) -> Response[Problem]:
    """The problem as an answer."""
    return Response(
        error.problem, status_code=error.problem.status, media_type=PROBLEM, headers=error.headers
    )


def responses(problem: type[Problem], *statuses: int) -> dict[int, ResponseSpec]:
    """The problems that a handler answers with, for its documentation."""
    return {
        status: ResponseSpec(
            problem, generate_examples=False, description=HTTPStatus(status).phrase, media_type=PROBLEM
        )
        for status in statuses
    }


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _problem(_: Request[Any, Any, Any], error: ProblemError) -> Response[Problem]:
    return respond(error)


def _http(_: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    title = type(error).__name__.removesuffix("Exception")
    problem = Problem(title=title, status=error.status_code, detail=error.detail)
    for wrong in error.extra if isinstance(error.extra, list) else []:
        if wrong.get("source") in PARAMETERS:
            field = str(wrong["key"])
            problem = msgspec.structs.replace(problem, detail=f"{field}: {wrong['message']}", field=field)
            break
    return respond(ProblemError(problem, error.headers))


HANDLERS: ExceptionHandlersMap = {ProblemError: _problem, HTTPException: _http}
"""Of every API; a service adds those of its own errors."""
