from __future__ import annotations

from typing import Any

import msgspec
import pytest
from emily_runtime.problems import Problem, field_of, malformed
from emily_runtime.rest import HANDLERS, PROBLEM, StrictRequest, only_from, responses
from litestar import Litestar, get, post
from litestar.params import FromQuery, JSONBody
from litestar.testing import TestClient


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    parts: tuple[int, ...] = ()
    text: str = ""


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("Expected `float`, got `str` - at `$.signals[0].values[1]`", "signals[0].values[1]"),
        ("Object missing required field `text`", "text"),
        ("Object missing required field `text` - at `$.episode`", "episode.text"),
        ("content[3]: NUL can't be stored", "content[3]"),
        ("context.room: is no text", "context.room"),
        ("Invalid JSON", ""),
    ],
)
def test_the_field_is_read_from_the_message(message: str, field: str) -> None:
    assert field_of(message) == field


def test_what_does_not_fit_is_told_apart_from_what_is_no_json() -> None:
    with pytest.raises(msgspec.ValidationError) as unfit:
        msgspec.json.decode(b'{"number": "1"}', type=Thing)
    with pytest.raises(msgspec.DecodeError) as torn:
        msgspec.json.decode(b'{"number": ', type=Thing)
    assert (malformed(unfit.value).problem.status, malformed(unfit.value).problem.field) == (422, "number")
    assert (malformed(torn.value).problem.status, malformed(torn.value).problem.field) == (400, "")


@post("/things", responses=responses(Problem, 400, 422))
async def make(data: JSONBody[Thing]) -> Thing:
    return data


@get("/things")
async def count(limit: FromQuery[int]) -> int:
    return limit


def answered(method: str, url: str, **options: Any) -> tuple[int, dict[str, Any]]:
    app = Litestar(
        [make, count],
        before_request=only_from({"testserver.local"}),
        exception_handlers=HANDLERS,
        request_class=StrictRequest,
        logging_config=None,
    )
    with TestClient(app) as client:
        answer = client.request(method, url, **options)
        assert answer.headers["content-type"] == PROBLEM
        return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b'{"number": "1"}', 422, "number"),
        (b'{"number": 1, "parts": [1, null]}', 422, "parts[1]"),
        (b'{"number": 1', 400, ""),
        (b'{"number": 1, "text": "\xff"}', 400, ""),
    ],
)
def test_a_body_is_read_without_coercion(body: bytes, status: int, field: str) -> None:
    code, problem = answered("POST", "/things", content=body)
    assert (code, problem["status"], problem["field"]) == (status, status, field)


def test_a_parameter_that_does_not_fit_is_named() -> None:
    code, problem = answered("GET", "/things?limit=many")
    assert (code, problem["field"]) == (400, "limit")
    assert problem["detail"].startswith("limit: ")


def test_a_path_that_does_not_exist_is_a_problem_too() -> None:
    assert answered("GET", "/nothing")[1]["title"] == "NotFound"


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Host", "elsewhere.example", 421),
        ("Host", "", 421),
        ("Origin", "https://elsewhere.example", 403),
        ("Host", "[", 421),
        ("Origin", "null", 403),
        ("Origin", "http://[", 403),
    ],
)
def test_who_was_led_here_by_another_page_is_refused(header: str, value: str, status: int) -> None:
    code, problem = answered("GET", "/things?limit=1", headers={header: value})
    assert (code, problem["field"]) == (status, header)
