"""The router on a real bus: one answer for each stimulus, whatever is killed, late, repeated or wrong."""

from __future__ import annotations

from collections import Counter

import anyio
import httpx
import msgspec
import pytest
import zenoh
from emily_bus.settings import BusSettings, session_config
from emily_bus.trace import traceparent
from emily_contracts.decision import Status
from emily_contracts.envelope import uuid7
from emily_contracts.outcome import Outcome
from emily_contracts.percept import Percept
from emily_contracts.topics import DECISION, INBOUND_OUTCOME, INBOUND_STIMULUS, OUTBOUND_PERCEPT, OUTCOME
from emily_router.testing import decision_of, on_loop, percept_of, stage, stimulus
from emily_runtime.testing import ServiceProcess


def metric(process: ServiceProcess, name: str) -> float:
    lines = httpx.get(f"{process.http}/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


@on_loop
async def test_a_stimulus_gets_its_reflex_answer_and_then_one_decision(
    endpoint: str, process: ServiceProcess
) -> None:
    async with stage(endpoint, process) as seen, seen.root.subscribe(OUTBOUND_PERCEPT) as percepts:
        sent = stimulus()
        await seen.root.publish(INBOUND_STIMULUS, sent)
        await seen.until_answered(1)
        percept: Percept = await anext(aiter(percepts))
        assert percept == percept_of(sent)
        assert seen.answers == [decision_of(sent)]
        assert seen.forwarded == [sent]


@on_loop
async def test_a_repeated_id_is_perceived_once_and_gets_the_same_answer(
    endpoint: str, process: ServiceProcess
) -> None:
    before = metric(process, "emily_router_replayed_total")
    async with stage(endpoint, process) as seen:
        sent = stimulus()
        for count in (1, 2, 3):
            await seen.root.publish(INBOUND_STIMULUS, sent)
            await seen.until_answered(count)
        assert seen.answers == [decision_of(sent)] * 3
        assert seen.forwarded == [sent]
        assert metric(process, "emily_router_replayed_total") == before + 2


@on_loop
async def test_repeats_in_flight_and_repeated_decisions_give_one_answer(
    endpoint: str, process: ServiceProcess
) -> None:
    before = metric(process, "emily_router_late_total")
    async with stage(endpoint, process) as seen:
        sent, last = stimulus(text="perceive"), stimulus()
        await seen.root.publish(INBOUND_STIMULUS, sent)
        await seen.root.publish(INBOUND_STIMULUS, sent)
        await seen.until_forwarded(1)
        for _ in range(3):
            await seen.colour.publish(DECISION, decision_of(sent))
        await seen.root.publish(INBOUND_STIMULUS, last)
        await seen.until_answered(2)
        assert seen.answers == [decision_of(sent), decision_of(last)]
        assert metric(process, "emily_router_late_total") == before + 2


@on_loop
async def test_without_a_decision_tier_ones_answer_stands_in_and_says_so(
    endpoint: str, process: ServiceProcess
) -> None:
    async with stage(endpoint, process) as seen, seen.colour.alive("reflex"):
        sent = stimulus(text="perceive", deadline_ms=1500)
        await seen.root.publish(INBOUND_STIMULUS, sent)
        await seen.until_answered(1)
        (answer,) = seen.answers
        assert (answer.status, answer.act.label) == (Status.DEGRADED, "seven")
        assert "workspace, inference down" in answer.reason


@on_loop
async def test_silence_is_forwarded_again_once_and_then_reported_failed(
    endpoint: str, process: ServiceProcess
) -> None:
    before = metric(process, "emily_router_late_total")
    async with stage(endpoint, process) as seen:
        sent = stimulus(text="nothing", deadline_ms=1500)
        await seen.root.publish(INBOUND_STIMULUS, sent)
        await seen.until_answered(1)
        assert seen.forwarded == [sent, sent]
        assert [answer.status for answer in seen.answers] == [Status.FAILED]
        await seen.colour.publish(DECISION, decision_of(sent))
        await seen.root.publish(INBOUND_STIMULUS, stimulus())
        await seen.until_answered(2)
        assert metric(process, "emily_router_late_total") == before + 1


def context_of(trace_context: str | None) -> tuple[str, str]:
    """Ids of a trace and of a span in it."""
    assert trace_context is not None
    _, trace, span, _ = trace_context.split("-")
    return trace, span


@pytest.mark.parametrize("fresh", [{"otlp_endpoint": "http://127.0.0.1:9"}], indirect=True)
@on_loop
async def test_what_is_forwarded_again_stays_in_its_trace(endpoint: str, fresh: ServiceProcess) -> None:
    silent = {"text": "nothing", "deadline_ms": 1500}
    async with stage(endpoint, fresh) as seen, httpx.AsyncClient(base_url=fresh.http) as client:
        token = traceparent.set("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        await seen.root.publish(INBOUND_STIMULUS, stimulus(text="nothing", deadline_ms=1500))
        traceparent.reset(token)
        await seen.until_answered(1)
        await client.post("/api/v1/stimuli", json=BODY | silent)
        await seen.until_answered(2)
    first, again, over_http, over_http_again = [context_of(trace) for trace in seen.traces]
    assert first[0] == again[0] == "0af7651916cd43dd8448eb211c80319c"
    assert over_http[0] == over_http_again[0] != first[0]
    assert first[1] != again[1]
    assert over_http[1] != over_http_again[1]


@on_loop
async def test_an_outcome_is_passed_on_to_the_colour(endpoint: str, process: ServiceProcess) -> None:
    async with stage(endpoint, process) as seen, seen.colour.subscribe(OUTCOME) as outcomes:
        judged = stimulus()
        outcome = Outcome(
            id=uuid7(judged.at),
            at=judged.at,
            stimulus_id=judged.id,
            modality="vision",
            subject="default",
            episode="default",
            decision_id=decision_of(judged).id,
            reward=1.0,
        )
        await seen.root.publish(INBOUND_OUTCOME, outcome)
        assert await anext(aiter(outcomes)) == outcome


@pytest.mark.parametrize("fresh", [{"in_flight": "2"}], indirect=True)
@on_loop
async def test_an_overloaded_router_says_so_to_each_it_refuses(endpoint: str, fresh: ServiceProcess) -> None:
    async with stage(endpoint, fresh) as seen:
        for text in ("perceive", "perceive", "decide"):
            await seen.root.publish(INBOUND_STIMULUS, stimulus(text=text, deadline_ms=60_000))
        await seen.until_answered(1)
        (answer,) = seen.answers
        assert answer.status is Status.FAILED
        assert "retry after 1 s" in answer.reason
        async with httpx.AsyncClient(base_url=fresh.http) as client:
            refused = await client.post("/api/v1/stimuli", json=BODY)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert metric(fresh, 'emily_router_rejected_total{reason="overloaded"}') == 2


BODY = {"modality": "vision", "signals": [{"channel": "fovea", "values": [1.0]}]}


@on_loop
async def test_a_kill_loses_nothing_accepted_and_answers_nothing_twice(
    endpoint: str, fresh: ServiceProcess
) -> None:
    async with stage(endpoint, fresh) as seen:
        owed = [stimulus(text="perceive", deadline_ms=60_000) for _ in range(50)]
        late = [stimulus(text="perceive", deadline_ms=100) for _ in range(50)]
        done = [stimulus() for _ in range(50)]
        for sent in (*done, *owed):
            await seen.root.publish(INBOUND_STIMULUS, sent)
        await seen.until_answered(50)
        for sent in late:
            await seen.root.publish(INBOUND_STIMULUS, sent)
        await seen.until_forwarded(150)
        fresh.kill()
        await anyio.sleep(0.2)
        fresh.start(http_port="0")
        await seen.until_forwarded(200)
        for sent in owed:
            await seen.colour.publish(DECISION, decision_of(sent))
        await seen.until_answered(150)
        answers = {answer.stimulus_id: answer for answer in seen.answers}
        assert Counter(answer.stimulus_id for answer in seen.answers).most_common(1)[0][1] == 1
        assert all(answers[sent.id].status is Status.DECIDED for sent in (*done, *owed))
        assert {answers[sent.id].status for sent in late} <= {Status.FAILED, Status.DEGRADED}
        await seen.root.publish(INBOUND_STIMULUS, done[0])
        await seen.until_answered(151)
        assert seen.answers[-1] == decision_of(done[0])
        assert await anyio.to_thread.run_sync(fresh.stop) == 0


@on_loop
async def test_told_to_stop_it_answers_what_it_owes_first(endpoint: str, fresh: ServiceProcess) -> None:
    async with stage(endpoint, fresh) as seen:
        sent = stimulus(text="perceive", deadline_ms=1500)
        await seen.root.publish(INBOUND_STIMULUS, sent)
        await seen.until_forwarded(1)
        assert await anyio.to_thread.run_sync(fresh.stop) == 0
        await seen.until_answered(1)
        assert [answer.status for answer in seen.answers] == [Status.DEGRADED]


@on_loop
async def test_nothing_on_the_bus_can_crash_it(endpoint: str, process: ServiceProcess) -> None:
    good = msgspec.msgpack.encode(stimulus())
    version = zenoh.ZBytes(b"\xff")
    wrong = [b"", b"\xc1", b"x" * 10_000_000, good[:-3], good.replace(b"fovea", b"\xff\xfe\xfd\xfc\xfb")]
    before = metric(process, 'emily_router_rejected_total{reason="unacceptable"}')
    async with stage(endpoint, process) as seen:
        settings = session_config(BusSettings(endpoint=endpoint), process.namespace)
        with zenoh.open(zenoh.Config.from_json5(settings)) as raw:
            for payload in wrong:
                raw.put("in/stimulus/vision", payload, attachment=version)
                raw.put("in/stimulus/vision", payload)
                raw.put("in/outcome/vision", payload)
            raw.put("in/stimulus/vision", good, attachment=version)
            unknown = stimulus(modality="smell")
            await seen.root.publish(INBOUND_STIMULUS, unknown)
            await seen.until_answered(1)
            other = msgspec.structs.replace(stimulus(), stimulus_id=unknown.id)
            await seen.root.publish(INBOUND_STIMULUS, other)
            await seen.until_answered(2)
        assert [answer.status for answer in seen.answers] == [Status.FAILED] * 2
        assert seen.answers[0].reason.startswith("modality: 'smell' is not known")
        assert seen.answers[1].reason.startswith("stimulus_id: ")
        assert metric(process, 'emily_router_rejected_total{reason="unacceptable"}') == before + 2
        sent = stimulus()
        await seen.root.publish(INBOUND_STIMULUS, sent)
        await seen.until_answered(3)
        assert seen.answers[2] == decision_of(sent)


@on_loop
async def test_ten_thousand_at_once_are_each_answered_or_refused(
    endpoint: str, fresh: ServiceProcess
) -> None:
    async with stage(endpoint, fresh) as seen:
        sent = [stimulus(deadline_ms=20_000) for _ in range(10_000)]
        for each in sent:
            await seen.root.publish(INBOUND_STIMULUS, each)
        await seen.until_answered(10_000)
        answered = Counter(answer.stimulus_id for answer in seen.answers)
        assert set(answered.values()) == {1}
        assert set(answered) == {each.id for each in sent}
        assert {answer.status for answer in seen.answers} <= {Status.DECIDED, Status.FAILED}
