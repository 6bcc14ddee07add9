"""Errors over HTTP: RFC 9457 problem details that name the field."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"^Object (?:missing required|contains unknown) field `(?P<field>[^`]+)`")
_NAMED = re.compile(r"^(?P<field>\w+(?:\.\w+)*(?:\[\d+\])?): ")


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Problem details.

    Attributes:
        field: Path of the field that is at fault, such as `signals[0].values`; empty when it is the whole.
    """

    title: str
    status: int
    detail: str
    field: str | None = None


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
