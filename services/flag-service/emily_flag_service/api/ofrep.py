"""The OpenFeature Remote Evaluation Protocol: any OpenFeature SDK evaluates flags here.

<https://openfeature.dev/docs/reference/other-technologies/ofrep/openapi>
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

import msgspec
from emily_runtime.rest import StrictRequest
from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import (
    ErrorCode,
    FlagNotFoundError,
    InvalidContextError,
    OpenFeatureError,
    ParseError,
)
from openfeature.flag_evaluation import Reason

from emily_flag_service.book import Book

JSON = "application/json"

IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-None-Match", required=False, description="ETag of an earlier answer: 304 if it still holds."
    ),
]


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """What a flag gives.

    Attributes:
        variant: Empty when it has none; the public provider for Python wants it there.
        value: Left out when that is for the code to say: the flag is disabled, or names no variant.
    """

    key: str
    reason: str
    variant: str = ""
    value: Any = msgspec.UNSET
    metadata: dict[str, Any] = {}


class Failure(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Why a flag gives nothing."""

    error_code: str
    error_details: str
    key: str = ""


class Bulk(msgspec.Struct, frozen=True, kw_only=True):
    """All flags."""

    flags: tuple[Evaluation | Failure, ...]
    metadata: dict[str, Any]


@post("/ofrep/v1/evaluate/flags/{key:str}", status_code=200)
async def evaluate(key: FromPath[str], request: StrictRequest, book: NamedDependency[Book]) -> Response[Any]:
    """Evaluates one flag."""
    try:
        context = context_of(await request.body())
        result = _evaluated(book, key, context)
    except OpenFeatureError as failure:
        return _refusal(book, failure, key)
    book.metrics.evaluations.labels(result.reason).inc()
    return Response(result, media_type=JSON)


@post("/ofrep/v1/evaluate/flags", status_code=200)
async def evaluate_all(
    request: StrictRequest, book: NamedDependency[Book], if_none_match: IfNoneMatch = None
) -> Response[Any]:
    """Evaluates all flags that are not disabled."""
    try:
        context = context_of(await request.body())
    except OpenFeatureError as failure:
        return _refusal(book, failure)
    found: list[Evaluation | Failure] = []
    for key in sorted(book.flags):
        if not book.flags[key].enabled:
            continue
        try:
            result = _evaluated(book, key, context)
            book.metrics.evaluations.labels(result.reason).inc()
            found.append(result)
        except OpenFeatureError as failure:
            book.metrics.evaluations.labels(failure.error_code.value).inc()
            found.append(_failure(failure, key))
    body = msgspec.json.encode(Bulk(flags=tuple(found), metadata={"revision": book.revision}))
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    if if_none_match is not None and tag in _tags(if_none_match):
        return Response(None, status_code=304, headers={"ETag": tag})
    return Response(body, media_type=JSON, headers={"ETag": tag})


def context_of(body: bytes) -> EvaluationContext:
    """The context of a request.

    Raises:
        OpenFeatureError: The body is no JSON object, or its context does not fit.
    """
    try:
        asked = msgspec.json.decode(body) if body.strip() else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as failure:
        raise ParseError(f"the body is not JSON: {failure}") from None
    if not isinstance(asked, dict):
        raise ParseError('the body is not an object; send {"context": {"targetingKey": "..."}}')
    context = asked.get("context")
    if context is None:
        context = {}
    if not isinstance(context, dict):
        raise InvalidContextError("context: is not an object")
    targeting_key = context.pop("targetingKey", None)
    if targeting_key is not None and not isinstance(targeting_key, str):
        raise InvalidContextError("context.targetingKey: is not a text")
    return EvaluationContext(targeting_key=targeting_key, attributes=context)


def refused(code: ErrorCode, details: str, status: int) -> Response[Failure]:
    """A failure as an answer."""
    return Response(
        Failure(error_code=code.value, error_details=details), status_code=status, media_type=JSON
    )


def _tags(header: str) -> set[str]:
    """ETags of a header; a proxy that compresses marks them as weak."""
    return {each.strip().removeprefix("W/") for each in header.split(",")}


def _evaluated(book: Book, key: str, context: EvaluationContext) -> Evaluation:
    details = book.evaluator.value(key, context)
    reason = details.reason or Reason.UNKNOWN
    metadata = {**details.flag_metadata}
    if details.variant is None:
        return Evaluation(key=key, reason=str(reason), metadata=metadata)
    return Evaluation(
        key=key, reason=str(reason), variant=details.variant, value=details.value, metadata=metadata
    )


def _failure(failure: OpenFeatureError, key: str = "") -> Failure:
    return Failure(key=key, error_code=failure.error_code.value, error_details=failure.error_message or "")


def _refusal(book: Book, failure: OpenFeatureError, key: str = "") -> Response[Failure]:
    book.metrics.evaluations.labels(failure.error_code.value).inc()
    status = 404 if isinstance(failure, FlagNotFoundError) else 400
    return Response(_failure(failure, key), status_code=status, media_type=JSON)


ROUTES = (evaluate, evaluate_all)
