"""Errors over HTTP: RFC 9457 problem details that name the field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from emily_bus import AskTimeout, ErrorReply, NoResponder
from emily_contracts.decision import Decision
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap

from emily_router.errors import KeyReused, Overloaded, RouterError, Unacceptable

_Request = Request[Any, Any, Any]

_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"^Object (?:missing required|contains unknown) field `(?P<field>[^`]+)`")
_NAMED = re.compile(r"^(?P<field>\w+(?:\[\d+\])?): ")


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Problem details.

    Attributes:
        field: Path of the field that is at fault, such as `signals[0].values`; empty when it is the whole.
        decision: The answer after all, when the stimulus was accepted and failed.
    """

    title: str
    status: int
    detail: str
    field: str | None = None
    decision: Decision | None = None


class ProblemError(Exception):
    """Raised by a handler to answer with a problem."""

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.headers = dict(headers or {})


def malformed(error: msgspec.DecodeError) -> ProblemError:
    """Of a body that is not JSON (400) or does not fit its type (422)."""
    if not isinstance(error, msgspec.ValidationError):
        return ProblemError(Problem(title="Malformed JSON", status=400, detail=str(error), field=""))
    return ProblemError(
        Problem(title="Invalid field", status=422, detail=str(error), field=field_of(str(error)))
    )


def field_of(message: str) -> str:
    """The field's path in a message of msgspec or of a contract's own check; empty for the whole.

    `Expected float, got str - at $.signals[0].values[1]` gives `signals[0].values[1]`.
    """
    place = _PATH.search(message)
    parts = [place["path"]] if place and place["path"] else []
    named = _MISSING.match(message) or _NAMED.match(message)
    if named:
        parts.append(named["field"])
    return ".".join(parts)


def _respond(error: ProblemError) -> Response[Problem]:
    return Response(
        error.problem,
        status_code=error.problem.status,
        media_type="application/problem+json",
        headers=error.headers,
    )


def _problem(_: _Request, error: ProblemError) -> Response[Problem]:
    return _respond(error)


def _http(_: _Request, error: HTTPException) -> Response[Problem]:
    title = type(error).__name__.removesuffix("Exception")
    return _respond(
        ProblemError(Problem(title=title, status=error.status_code, detail=error.detail), error.headers)
    )


def _overloaded(_: _Request, error: Overloaded) -> Response[Problem]:
    problem = Problem(title="Overloaded", status=429, detail=str(error))
    return _respond(ProblemError(problem, {"Retry-After": str(error.retry_after_s)}))


def _unacceptable(_: _Request, error: Unacceptable) -> Response[Problem]:
    detail = str(error)
    return _respond(
        ProblemError(Problem(title="Invalid field", status=422, detail=detail, field=field_of(detail)))
    )


def _key_reused(_: _Request, error: KeyReused) -> Response[Problem]:
    problem = Problem(title="Idempotency-Key reused", status=422, detail=str(error), field="Idempotency-Key")
    return _respond(ProblemError(problem))


def _unavailable(_: _Request, error: Exception) -> Response[Problem]:
    return _respond(ProblemError(Problem(title="Unavailable", status=503, detail=str(error))))


def _timeout(_: _Request, error: AskTimeout) -> Response[Problem]:
    return _respond(ProblemError(Problem(title="No answer in time", status=504, detail=str(error))))


def _refused(_: _Request, error: ErrorReply) -> Response[Problem]:
    return _respond(ProblemError(Problem(title="Refused", status=422, detail=str(error))))


HANDLERS: ExceptionHandlersMap = {
    ProblemError: _problem,
    HTTPException: _http,
    Overloaded: _overloaded,
    Unacceptable: _unacceptable,
    KeyReused: _key_reused,
    RouterError: _unavailable,
    NoResponder: _unavailable,
    AskTimeout: _timeout,
    ErrorReply: _refused,
}
