"""The HTTP face of a running router."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import jsonschema
import pytest
from emily_bus import AskRefused
from emily_contracts.attention import Attention, AttentionRequest
from emily_contracts.topics import ATTEND
from emily_router.idempotency import id_of_key
from emily_router.testing import on_loop, stage
from emily_runtime.testing import ServiceProcess

SIGNAL = {"channel": "fovea", "values": [1.0]}
BODY: dict[str, Any] = {"modality": "vision", "signals": [SIGNAL], "text": "decide"}
PROBLEM = "application/problem+json"


def client(process: ServiceProcess) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=process.http, timeout=20)


@on_loop
async def test_a_stimulus_is_answered_with_its_decision(endpoint: str, process: ServiceProcess) -> None:
    async with stage(endpoint, process) as seen, client(process) as http:
        answer = await http.post("/api/v1/stimuli", json=BODY)
        await seen.until_answered(1)
        assert answer.status_code == 200
        assert answer.json()["act"] == {"kind": "look", "place": 3, "label": None}
        assert answer.json()["stimulus_id"] == str(seen.answers[0].stimulus_id)


@on_loop
async def test_an_idempotency_key_gives_one_perception_and_one_answer(
    endpoint: str, process: ServiceProcess
) -> None:
    async with stage(endpoint, process) as seen, client(process) as http:
        headers = {"Idempotency-Key": "order 66"}
        answers: list[httpx.Response] = []

        async def ask() -> None:
            answers.append(await http.post("/api/v1/stimuli", json=BODY, headers=headers))

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(ask)
        await ask()
        assert [answer.status_code for answer in answers] == [200] * 6
        assert len({answer.content for answer in answers}) == 1
        assert [sent.id for sent in seen.forwarded] == [id_of_key("order 66")]
        assert answers[0].json()["stimulus_id"] == str(id_of_key("order 66"))


@on_loop
async def test_an_idempotency_key_with_another_body_is_refused_and_answers_nothing(
    endpoint: str, process: ServiceProcess
) -> None:
    async with stage(endpoint, process) as seen, client(process) as http:
        key = {"Idempotency-Key": "order 67"}
        first = await http.post("/api/v1/stimuli", json=BODY, headers=key)
        other = await http.post("/api/v1/stimuli", json=BODY | {"text": "perceive"}, headers=key)
        reordered = dict(reversed(BODY.items())) | {"subject": "default"}
        same = await http.post("/api/v1/stimuli", json=reordered, headers=key)
        assert [sent.id for sent in seen.forwarded] == [id_of_key("order 67")]
    assert (other.status_code, other.headers["content-type"]) == (422, PROBLEM)
    assert other.json()["field"] == "Idempotency-Key"
    assert "another body" in other.json()["detail"]
    assert (same.status_code, same.content) == (200, first.content)


@on_loop
async def test_an_idempotency_key_whose_stimulus_is_in_flight_takes_no_other_body(
    endpoint: str, process: ServiceProcess
) -> None:
    async with stage(endpoint, process) as seen, client(process) as http:
        key = {"Idempotency-Key": "order 68"}
        waiting = BODY | {"text": "perceive", "deadline_ms": 1500}
        answers: list[httpx.Response] = []

        async def ask() -> None:
            answers.append(await http.post("/api/v1/stimuli", json=waiting, headers=key))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await seen.until_forwarded(1)
            other = await http.post("/api/v1/stimuli", json=BODY, headers=key)
            assert not answers
        assert other.status_code == 422
        assert [answer.json()["status"] for answer in answers] == ["degraded"]


@on_loop
async def test_no_answer_by_the_deadline_is_504_with_the_failed_decision(
    endpoint: str, process: ServiceProcess
) -> None:
    async with stage(endpoint, process), client(process) as http:
        answer = await http.post("/api/v1/stimuli", json=BODY | {"text": "nothing", "deadline_ms": 100})
    assert (answer.status_code, answer.headers["content-type"]) == (504, PROBLEM)
    assert answer.json()["decision"]["status"] == "failed"
    assert "100 ms" in answer.json()["detail"]


@on_loop
async def test_a_missing_tier_degrades_the_answer_over_http_too(
    endpoint: str, process: ServiceProcess
) -> None:
    async with stage(endpoint, process), client(process) as http:
        answer = await http.post("/api/v1/stimuli", json=BODY | {"text": "perceive", "deadline_ms": 1500})
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["act"]["label"]) == ("degraded", "seven")


BAD: list[tuple[bytes, int, str | None]] = [
    (b"", 400, None),
    (b"{", 400, ""),
    (b"\xff\xfe", 400, ""),
    (b"[" * 500_000, 422, ""),
    (b'{"x":' * 100_000, 422, "x"),
    (b"[]", 422, ""),
    (b"{}", 422, "modality"),
    (b'{"modality":"vision","signals":[]}', 422, "signals"),
    (b'{"modality":"vision","signals":[{"channel":"a","values":[NaN]}]}', 400, ""),
    (b'{"modality":"vision","signals":[{"channel":"a","values":[1e999]}]}', 422, "signals[0].values[0]"),
    (b'{"modality":"vision","signals":[{"channel":"a","values":["1"]}]}', 422, "signals[0].values[0]"),
    (b'{"modality":"vision","signals":[{"channel":"a"}]}', 422, "signals[0].values"),
    (
        b'{"modality":"vision","signals":[{"channel":"a","values":[1],"intensity":-1}]}',
        422,
        "signals[0].intensity",
    ),
    (b'{"modality":"a/b","signals":[{"channel":"a","values":[1]}]}', 422, "modality"),
    (b'{"modality":"smell","signals":[{"channel":"a","values":[1]}]}', 422, "modality"),
    (b'{"modality":"vision","signals":[{"channel":"a","values":[1]}],"when":1}', 422, "when"),
    (b'{"modality":"vision","text":"\xff","signals":[{"channel":"a","values":[1]}]}', 400, ""),
    (b'{"modality":"vision","text":"' + b"x" * 10_000_000 + b'"}', 413, None),
]


@on_loop
async def test_bad_input_is_a_problem_that_names_the_field(endpoint: str, process: ServiceProcess) -> None:
    async with client(process) as http:
        for body, status, field in BAD:
            answer = await http.post("/api/v1/stimuli", content=body)
            problem = answer.json()
            assert (answer.status_code, problem.get("field")) == (status, field), (body[:80], problem)
            assert answer.headers["content-type"] == PROBLEM
            assert problem["status"] == status
            assert problem["detail"]
        assert (await http.get("/health")).json()["in_flight"] == 0


@on_loop
async def test_unknown_paths_methods_and_hosts_are_problems(endpoint: str, process: ServiceProcess) -> None:
    async with client(process) as http:
        for answer, status in (
            (await http.get("/nowhere"), 404),
            (await http.get("/api/v1/stimuli"), 405),
            (await http.get("/health", headers={"Host": "attacker.example"}), 421),
        ):
            assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)


@on_loop
async def test_attention_is_asked_of_the_colour(endpoint: str, process: ServiceProcess) -> None:
    async def attend(request: AttentionRequest) -> Attention:
        if len(request.drives) > 1:
            raise AskRefused("drives: one is enough")
        return Attention(gated=request.drives, emitted=(0,), latency_ms=(1.0,), phase=0.5, frequency=10.0)

    async with stage(endpoint, process) as seen, client(process) as http:
        missing = await http.post("/api/v1/attention", json={"drives": [1.0]})
        async with seen.colour.serve(ATTEND, attend):
            answer = await http.post("/api/v1/attention", json={"drives": [1.0]})
            refused = await http.post("/api/v1/attention", json={"drives": [1.0, 2.0]})
            wrong = await http.post("/api/v1/attention", json={"drives": ["a"]})
    assert (missing.status_code, missing.headers["content-type"]) == (503, PROBLEM)
    assert answer.json()["gated"] == [1.0]
    assert (refused.status_code, refused.json()["detail"]) == (422, "drives: one is enough")
    assert (wrong.status_code, wrong.json()["field"]) == (422, "drives[0]")


@on_loop
async def test_hypotheses_without_a_mind_are_503(endpoint: str, process: ServiceProcess) -> None:
    async with client(process) as http:
        answer = await http.post("/api/v1/gflownet/generate", json={"count": 5})
    assert (answer.status_code, answer.headers["content-type"]) == (503, PROBLEM)


@on_loop
async def test_health_names_who_lives_and_who_is_missing(endpoint: str, process: ServiceProcess) -> None:
    async with stage(endpoint, process) as seen, client(process) as http, seen.colour.alive("reflex"):
        with anyio.fail_after(5):
            while "blue/reflex" not in (await http.get("/health")).json()["alive"]:
                await anyio.sleep(0.01)
        health = (await http.get("/health")).json()
    assert (health["status"], health["colour"]) == ("degraded", "blue")
    assert health["absent"] == ["workspace", "inference"]
    assert {"blue/reflex", "router"} <= set(health["alive"])


async def events(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, Any]]:
    name = ""
    async for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        if line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


@on_loop
async def test_the_stream_shows_percepts_and_decisions(endpoint: str, process: ServiceProcess) -> None:
    async with (
        stage(endpoint, process),
        client(process) as http,
        http.stream("GET", "/api/v1/stream") as stream,
    ):
        lines = stream.aiter_lines()
        assert await anext(lines) == ": watching"
        answer = await http.post("/api/v1/stimuli", json=BODY)
        shown = events(lines)
        name, percept = await anext(shown)
        assert (name, percept["label"]) == ("percept", "seven")
        assert await anext(shown) == ("decision", answer.json())
    assert stream.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("fresh", [{"watchers": "1"}], indirect=True)
@on_loop
async def test_watchers_are_bounded_and_leave_room_when_they_go(endpoint: str, fresh: ServiceProcess) -> None:
    async with client(fresh) as http:
        async with http.stream("GET", "/api/v1/stream") as stream:
            lines = stream.aiter_lines()
            assert await anext(lines) == ": watching"
            refused = await http.get("/api/v1/stream")
            assert (refused.status_code, refused.headers["content-type"]) == (503, PROBLEM)
        with anyio.fail_after(10):
            while True:
                async with http.stream("GET", "/api/v1/stream") as again:
                    if again.status_code == 200:
                        break
                await anyio.sleep(0.01)


@on_loop
async def test_the_api_describes_itself_without_any_other_site(
    endpoint: str, process: ServiceProcess
) -> None:
    async with client(process) as http:
        described = (await http.get("/docs/openapi.json")).json()
        page = await http.get("/docs")
    assert {"/api/v1/stimuli", "/api/v1/attention", "/api/v1/gflownet/generate", "/health"} <= set(
        described["paths"]
    )
    operation = described["paths"]["/api/v1/stimuli"]["post"]
    reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    schema = {"$ref": reference, "components": described["components"]}
    jsonschema.validate(BODY, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(BODY | {"signals": 1}, schema)
    assert "Idempotency-Key" in [parameter["name"] for parameter in operation["parameters"]]
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.text
    assert "//" not in page.text
