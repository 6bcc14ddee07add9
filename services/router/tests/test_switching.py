"""Traffic moves between colours that count, which shows each stimulus lost, doubled or out of order."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import httpx
import pytest
from emily_bus import ErrorReply
from emily_contracts.decision import Status
from emily_contracts.routing import Role, RoutingTable, StandingRequest, bucket
from emily_contracts.topics import CURRENT_STANDING, DECISION, STANDING
from emily_router.testing import decision_of, on_loop
from emily_router.testing.town import Town, town
from emily_runtime.testing import ServiceProcess

SUBJECTS = tuple(f"s{number}" for number in range(24))
HALF = 5000
ROUNDS = 12
AHEAD = 96
CANARYS = next(subject for subject in SUBJECTS if bucket(subject) < HALF)
ACTIVES = next(subject for subject in SUBJECTS if bucket(subject) >= HALF)


def counted(count: int, first: int = 1) -> list[str]:
    return [f"n{number}" for number in range(first, first + count)]


@on_loop
async def test_every_subject_is_answered_once_and_in_order_through_every_kind_of_change(
    fresh: ServiceProcess,
) -> None:
    async with town(fresh) as here:
        changes: tuple[dict[str, Any], ...] = (
            {"active": "blue", "shadow": "green"},
            {"active": "blue", "canary": "green", "weight": 100},
            {"active": "blue", "canary": "green", "weight": HALF},
            {"active": "green"},
            {"active": "green", "shadow": "blue"},
            {"active": "blue"},
            {"active": "green", "canary": "blue", "weight": HALF},
            {"active": "blue", "canary": "green", "weight": HALF},
        )
        rounds = 0
        for change in changes:
            rounds += ROUNDS
            async with anyio.create_task_group() as both:
                both.start_soon(here.give_all, SUBJECTS, ROUNDS, AHEAD)
                traffic = await here.direct(**change)
            assert traffic.table == RoutingTable(version=traffic.table.version, **change)
        await here.until_answered()
        assert {subject: sorted(here.counts(subject), key=_number) for subject in SUBJECTS} == {
            subject: counted(rounds) for subject in SUBJECTS
        }
        order = [(answer.subject, answer.act.label) for answer in here.answers]
        for subject in SUBJECTS:
            assert [label for name, label in order if name == subject] == counted(rounds)
        assert len(order) == rounds * len(SUBJECTS)
        assert fresh.metric("emily_router_misrouted_total") == 0
        assert fresh.metric("emily_router_table_version") == len(changes)


@on_loop
async def test_a_mind_left_behind_starts_anew_and_only_subjects_of_the_canary_go_there(
    fresh: ServiceProcess,
) -> None:
    async with town(fresh) as here:
        for subject in (CANARYS, ACTIVES):
            await here.give(subject)
        await here.until_answered()
        await here.direct(active="blue", canary="green", weight=HALF, handover="none")
        for subject in (CANARYS, ACTIVES):
            await here.give(subject)
        await here.until_answered()
        assert (here.counts(CANARYS), here.counts(ACTIVES)) == (["n1", "n1"], ["n1", "n2"])


@on_loop
async def test_a_shadow_thinks_along_and_is_compared_and_never_answers(fresh: ServiceProcess) -> None:
    async with town(fresh) as here:
        await here.give_all(SUBJECTS, 2)
        await here.until_answered()
        await here.direct(active="blue", shadow="green")
        await here.give_all(SUBJECTS, 3)
        await here.until_answered()
        with anyio.fail_after(10):
            while (await shadow_of(here)) != (3 * len(SUBJECTS), 3 * len(SUBJECTS)):
                await anyio.sleep(0.01)
        assert len(here.answers) == 5 * len(SUBJECTS)
        assert fresh.metric("emily_router_late_total") == 0
        assert here.counts(ACTIVES) == counted(5)


@on_loop
async def test_an_answer_of_who_owes_none_is_counted_and_never_given(fresh: ServiceProcess) -> None:
    async with town(fresh, "red") as here:
        sent = await here.give("s1", deadline_ms=1500)
        green = await here.found("green")
        await green.publish(DECISION, decision_of(sent))
        await here.until_answered()
        (answer,) = here.answers
        assert answer.status is Status.FAILED
        assert fresh.metric("emily_router_misrouted_total") == 1


@on_loop
async def test_minds_that_can_not_move_stay_and_who_ordered_it_hears_why(fresh: ServiceProcess) -> None:
    async with town(fresh, "blue") as here, anyio.create_task_group() as tasks:
        tasks.start_soon(here.give_all, SUBJECTS, 10)
        before = (await here.now()).table
        with pytest.raises(ErrorReply, match=r"green/(reflex|workspace|inference): .*nothing was changed"):
            await here.direct(active="green")
        assert (await here.now()).table == before
        await here.give("s0")
        await here.until_answered()
        assert {answer.status for answer in here.answers} == {Status.DECIDED}
        assert fresh.metric("emily_router_table_changes_total", result="refused") == 1


@on_loop
async def test_a_colour_is_told_what_it_is_and_may_ask(fresh: ServiceProcess) -> None:
    async with town(fresh) as here:
        green = await here.found("green")
        first = await green.ask(CURRENT_STANDING, StandingRequest(), timeout=5)
        assert (first.role, first.version) == (Role.IDLE, 0)
        async with green.subscribe(STANDING) as said:
            await here.direct(active="blue", shadow="green")
            with anyio.fail_after(5):
                told = await anext(aiter(said))
        assert (told.role, told.version) == (Role.SHADOW, 1)
        assert (await green.ask(CURRENT_STANDING, StandingRequest(), timeout=5)).role is Role.SHADOW


@pytest.mark.parametrize(
    ("order", "said"),
    [
        pytest.param({"version": 7, "active": "green"}, "version: 7 is not the table that holds", id="stale"),
        pytest.param(
            {"active": "red"}, "active: 'red' is no colour here; known are blue, green", id="unknown"
        ),
        pytest.param({"token": "x" * 20, "active": "green"}, "token: the token is not known", id="stranger"),
    ],
)
def test_an_order_on_the_bus_that_is_not_carried_out_says_why(
    fresh: ServiceProcess, order: dict[str, Any], said: str
) -> None:
    @on_loop
    async def main() -> None:
        async with town(fresh) as here:
            with pytest.raises(ErrorReply, match=said):
                await here.direct(**order)
            assert (await here.now()).table == RoutingTable(version=0, active="blue")

    main()


@on_loop
async def test_traffic_is_read_and_changed_over_http(fresh: ServiceProcess) -> None:
    async with town(fresh) as here, httpx.AsyncClient(base_url=fresh.http) as web:

        async def put(body: dict[str, Any], token: str | None = here.token) -> httpx.Response:
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            return await web.put("/api/v1/traffic", json=body, headers=headers)

        shown = (await web.get("/api/v1/traffic")).json()
        assert shown["table"] == {
            "version": 0, "active": "blue", "canary": None, "weight": 0, "shadow": None
        }  # fmt: skip
        assert [(each["name"], each["role"]) for each in shown["colours"]] == [
            ("blue", "active"),
            ("green", "idle"),
        ]
        change = {"version": 0, "active": "green", "reason": "a test"}
        assert (await put(change, token=None)).status_code == 401
        assert (await put(change, token="y" * 20)).status_code == 401
        done = await put(change)
        assert (done.status_code, done.json()["table"]["active"]) == (200, "green")
        assert (await web.get("/health")).json()["colour"] == "green"
        stale = await put(change)
        assert (stale.status_code, stale.json()["field"]) == (409, "version")
        for body, field in (
            ({"version": 1, "active": "red"}, "active"),
            ({"version": 1, "active": "green", "weight": 5}, "weight"),
            ({"version": 1, "active": "green", "weight": 10_001, "canary": "blue"}, "weight"),
            ({"version": 1, "active": "green", "shadow": "green"}, "shadow"),
        ):
            refused = await put(body)
            assert (refused.status_code, refused.json()["field"]) == (422, field), refused.text
        assert (await put({"version": 1, "active": "green", "colour": "blue"})).status_code in (400, 422)
        assert (await web.get("/api/v1/traffic")).json()["table"]["version"] == 1


async def shadow_of(here: Town) -> tuple[int, int]:
    """How many answers of the shadow were compared, and agreed."""
    (shadow,) = [each for each in (await here.now()).colours if each.role is Role.SHADOW]
    return shadow.compared, shadow.agreed


def _number(label: str | None) -> int:
    assert label is not None
    return int(label.removeprefix("n"))


@on_loop
async def test_who_watches_the_stream_sees_every_decision_through_switches(fresh: ServiceProcess) -> None:
    async with (
        town(fresh) as here,
        httpx.AsyncClient(base_url=fresh.http, timeout=20) as web,
        web.stream("GET", "/api/v1/stream") as stream,
    ):
        lines = stream.aiter_lines()
        for change in ({"active": "green"}, {"active": "blue"}, {"active": "blue", "shadow": "green"}):
            await here.give_all(SUBJECTS, 1)
            await here.direct(**change)
        await here.give_all(SUBJECTS, 1)
        seen: set[str] = set()
        with anyio.fail_after(20):
            async for line in lines:
                if line.startswith("data:") and '"act"' in line:
                    seen.add(json.loads(line.removeprefix("data:"))["stimulus_id"])
                if len(seen) == 4 * len(SUBJECTS):
                    break
        assert seen == {str(sent.id) for each in here.sent.values() for sent in each}


@contextmanager
def process_of(fresh: ServiceProcess, colour: str) -> Iterator[subprocess.Popen[str]]:
    """A colour that counts in a process of its own, which can hang."""
    place = ("--endpoint", fresh.endpoint, "--namespace", f"{fresh.namespace}/{colour}")
    with subprocess.Popen(
        (sys.executable, "-m", "emily_router.testing.standin", *place),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "ready"
            yield process
        finally:
            process.kill()


@on_loop
async def test_a_colour_that_hangs_gets_no_mind_and_stops_nobody(fresh: ServiceProcess) -> None:
    with process_of(fresh, "green") as green:
        async with town(fresh, "blue") as here:
            green.send_signal(signal.SIGSTOP)
            with pytest.raises(ErrorReply, match="nothing was changed"):
                await here.direct(active="green")
            await here.give_all(SUBJECTS, 2)
            await here.until_answered()
            assert {answer.reason for answer in here.answers} == {"blue"}
            green.send_signal(signal.SIGCONT)
            with anyio.fail_after(20):
                while (await here.now()).table.active != "green":
                    with contextlib.suppress(ErrorReply):
                        await here.direct(active="green")
            await here.give_all(SUBJECTS, 1)
            await here.until_answered()
            assert here.counts("s1") == counted(3)


@on_loop
async def test_an_active_colour_that_hangs_can_be_left_without_its_mind(fresh: ServiceProcess) -> None:
    with process_of(fresh, "blue") as blue:
        async with town(fresh, "green") as here:
            await here.give("s1")
            await here.until_answered()
            blue.send_signal(signal.SIGSTOP)
            with pytest.raises(ErrorReply, match="nothing was changed"):
                await here.direct(active="green")
            held = await here.give("s2", deadline_ms=1500)
            await here.direct(active="green", handover="none")
            await here.give("s1")
            await here.until_answered()
            assert here.counts("s1") == ["n1", "n1"]
            assert [each.reason for each in here.answers if each.stimulus_id == held.id] == ["green"]
