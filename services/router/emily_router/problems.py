"""Errors of the router over HTTP."""

from __future__ import annotations

from typing import Any

from emily_bus import AskTimeout, ErrorReply, NoResponder
from emily_contracts.decision import Decision
from emily_runtime import problems, rest
from emily_runtime.problems import ProblemError, field_of
from emily_runtime.rest import respond
from emily_runtime.tokens import TokensUnreadable, Unauthorised
from litestar import Request, Response
from litestar.types import ExceptionHandlersMap

from emily_router.errors import (
    HandoverFailed,
    KeyReused,
    Outdated,
    Overloaded,
    RouterError,
    Unacceptable,
)

_Request = Request[Any, Any, Any]
_Answer = Response[problems.Problem]


class Problem(problems.Problem, frozen=True, kw_only=True, omit_defaults=True):
    """Problem details.

    Attributes:
        decision: The answer after all, when the stimulus was accepted and failed.
    """

    decision: Decision | None = None


def _overloaded(_: _Request, error: Overloaded) -> _Answer:
    problem = Problem(title="Overloaded", status=429, detail=str(error))
    return respond(ProblemError(problem, {"Retry-After": str(error.retry_after_s)}))


def _unacceptable(_: _Request, error: Unacceptable) -> _Answer:
    detail = str(error)
    return respond(
        ProblemError(Problem(title="Invalid field", status=422, detail=detail, field=field_of(detail)))
    )


def _key_reused(_: _Request, error: KeyReused) -> _Answer:
    problem = Problem(title="Idempotency-Key reused", status=422, detail=str(error), field="Idempotency-Key")
    return respond(ProblemError(problem))


def _unavailable(_: _Request, error: Exception) -> _Answer:
    return respond(ProblemError(Problem(title="Unavailable", status=503, detail=str(error))))


def _unauthorised(_: _Request, error: Unauthorised) -> _Answer:
    problem = Problem(title="Unauthorized", status=401, detail=str(error), field="Authorization")
    return respond(ProblemError(problem, {"WWW-Authenticate": "Bearer"}))


def _outdated(_: _Request, error: Outdated) -> _Answer:
    return respond(
        ProblemError(Problem(title="Changed meanwhile", status=409, detail=str(error), field="version"))
    )


def _not_moved(_: _Request, error: HandoverFailed) -> _Answer:
    return respond(ProblemError(Problem(title="Minds did not move", status=409, detail=str(error))))


def _timeout(_: _Request, error: AskTimeout) -> _Answer:
    return respond(ProblemError(Problem(title="No answer in time", status=504, detail=str(error))))


def _refused(_: _Request, error: ErrorReply) -> _Answer:
    return respond(ProblemError(Problem(title="Refused", status=422, detail=str(error))))


HANDLERS: ExceptionHandlersMap = {
    **rest.HANDLERS,
    Overloaded: _overloaded,
    Unacceptable: _unacceptable,
    KeyReused: _key_reused,
    Outdated: _outdated,
    HandoverFailed: _not_moved,
    Unauthorised: _unauthorised,
    TokensUnreadable: _unavailable,
    RouterError: _unavailable,
    NoResponder: _unavailable,
    AskTimeout: _timeout,
    ErrorReply: _refused,
}
