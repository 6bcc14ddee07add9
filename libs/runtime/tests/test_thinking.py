"""A mind on a real bus: what it hears, says, refuses, stumbles over and remembers."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
import msgspec
import pytest
from emily_bus import Bus, Change, ErrorReply
from emily_contracts import (
    AttentionRequest,
    Health,
    HealthRequest,
    Recall,
    RecallRequest,
    Role,
    Standing,
    StandingRequest,
    Stimulus,
)
from emily_contracts.topics import (
    ATTEND,
    CURRENT_STANDING,
    HEALTH,
    HEALTH_CHANGED,
    PERCEPT,
    RECALL,
    STANDING,
    STIMULUS,
)
from emily_runtime.checkpoint import decode_state
from emily_runtime.testing import ServiceProcess

Specimen = Callable[[str], ServiceProcess]


class CountOnDisk(msgspec.Struct):
    """The part of a counter's state that tells how far it came."""

    count: int


def count_on_disk(counter: ServiceProcess) -> int:
    return decode_state(counter.checkpoint.read_bytes(), CountOnDisk, name="counter", version=3).count


def test_each_event_is_stepped_said_and_counted(
    specimen: Specimen, on_loop: Any, stimuli: Any, percepts: Any
) -> None:
    counter = specimen("counter")
    counter.start()

    async def live() -> None:
        async with counter.bus() as bus:
            heard = await percepts(bus, stimuli(range(6)))
            assert [percept.label for percept in heard] == ["n1", "n2", "n3", "n4", "n5", "n6"]
            attention = await bus.ask(ATTEND, AttentionRequest(drives=(1.0,)), timeout=5)
            assert attention.frequency == 6.0
            with pytest.raises(ErrorReply, match="phase: leave it out"):
                await bus.ask(ATTEND, AttentionRequest(drives=(1.0,), phase=1.0), timeout=5)
            health: Health = await bus.ask(HEALTH, HealthRequest(service="counter"), timeout=5)
            assert (health.phase, health.ready, health.handled, health.unmet) == ("ready", True, 6, ())

    on_loop(live)
    topic = {"topic": "stimulus/{modality}"}
    assert counter.metric("emily_events_total", result="handled", **topic) == 6
    assert counter.metric("emily_step_seconds_count") == 6
    assert counter.metric("emily_event_age_seconds_count") == 6
    assert counter.metric("emily_bus_messages_total", result="received") == 6
    assert counter.metric("emily_bus_buffer_depth") == 0
    assert counter.metric("emily_ready", condition="bus") == 1
    assert counter.metric("emily_ready", condition="subscriptions") == 1
    assert counter.metric("specimen_subjects", subject="zoe") == 2
    assert counter.metric("emily_cold_start") == 0
    counter.wait_until(lambda: counter.metric("emily_checkpoint_bytes") > 0)
    assert counter.metric("emily_checkpoint_seconds") > 0
    assert counter.metric("emily_checkpoint_age_seconds") >= 0
    assert counter.stop() == 0


def test_what_is_refused_or_fails_is_counted_and_changes_nothing(
    specimen: Specimen, on_loop: Any, stimuli: Any, percepts: Any
) -> None:
    counter = specimen("counter")
    counter.start()
    bad = stimuli(range(3), modality="bad")
    broken = stimuli(range(3, 5), text="broken")
    unspeakable = stimuli([5], text="unspeakable")
    good = stimuli([6])

    async def live() -> None:
        async with counter.bus() as bus:
            heard = await percepts(bus, [*bad, *broken, *unspeakable, *good], due=1)
            assert [percept.label for percept in heard] == ["n2"]

    on_loop(live)
    topic = {"topic": "stimulus/{modality}"}
    assert counter.metric("emily_events_total", result="refused", **topic) == 3
    assert counter.metric("emily_events_total", result="failed", **topic) == 3
    assert counter.metric("emily_events_total", result="handled", **topic) == 1
    refused = counter.logged("refused")
    assert refused[0]["reason"] == "modality: 'bad' is not sensed; send vision"
    assert (refused[0]["service"], refused[0]["namespace"]) == ("counter", counter.namespace)
    failed = counter.logged("event failed; more of this kind are only counted")
    assert ["KeyError: 'a fault of the mind'" in line["exception"] for line in failed] == [True, False]
    assert counter.stop() == 0


def test_a_mind_that_was_killed_goes_on_as_one_that_was_not(
    specimen: Specimen, on_loop: Any, stimuli: Any, percepts: Any
) -> None:
    counter = specimen("counter")
    counter.start(checkpoint_interval_s="0.01")
    first, second = stimuli(range(40)), stimuli(range(40, 60))

    async def hear(sent: Any) -> Any:
        async with counter.bus() as bus:
            return await percepts(bus, sent)

    on_loop(lambda: hear(first))
    uninterrupted = on_loop(lambda: hear(second))
    counter.stop()
    counter.checkpoint.unlink()
    counter.start(checkpoint_interval_s="0.01")
    on_loop(lambda: hear(first))
    counter.wait_until(lambda: count_on_disk(counter) == len(first))
    written = counter.checkpoint.stat().st_mtime_ns
    counter.kill()
    counter.start(checkpoint_interval_s="0.01")
    assert counter.checkpoint.stat().st_mtime_ns == written, "nothing new was lived through"
    assert on_loop(lambda: hear(second)) == uninterrupted
    assert counter.stop() == 0


def test_a_checkpoint_that_cannot_be_used_is_kept_aside_and_told(specimen: Specimen) -> None:
    counter = specimen("counter")
    counter.checkpoint.parent.mkdir(parents=True)
    counter.checkpoint.write_bytes(b"torn")
    counter.start()
    assert counter.metric("emily_cold_start") == 1
    assert counter.get("/healthz").json()["cold_start"] == "not a checkpoint"
    assert counter.logged("checkpoint refused, starts from nothing")[0]["path"] == str(counter.checkpoint)
    assert counter.checkpoint.with_name("counter.ckpt.refused").read_bytes() == b"torn"
    assert counter.stop() == 0


def test_a_disk_that_takes_no_checkpoint_is_waited_for(
    specimen: Specimen, on_loop: Any, stimuli: Any, percepts: Any
) -> None:
    counter = specimen("counter")
    counter.start(checkpoint_interval_s="0.02")
    counter.checkpoint.mkdir(parents=True)

    async def live() -> None:
        async with counter.bus() as bus:
            await percepts(bus, stimuli(range(2)))

    on_loop(live)
    counter.wait_until(lambda: counter.metric("emily_checkpoint_failures_total") >= 2)
    assert counter.get("/readyz").status == 200
    counter.checkpoint.rmdir()
    counter.wait_until(counter.checkpoint.is_file)
    assert counter.stop() == 0


def test_what_is_held_when_told_to_stop_is_finished_and_goodbye_is_said(
    specimen: Specimen, on_loop: Any, stimuli: Any
) -> None:
    counter = specimen("counter")
    counter.start()
    sent = stimuli(range(300), text="slow")

    async def live() -> tuple[list[str], list[Change], list[str]]:
        async with (
            counter.bus() as bus,
            bus.presence() as changes,
            bus.subscribe(PERCEPT) as events,
            bus.subscribe(HEALTH_CHANGED) as health,
        ):
            for stimulus in sent:
                await bus.publish(STIMULUS, stimulus)
            counter.send(signal.SIGTERM)
            seen = []
            async for change in changes:
                seen.append(change)
                if not change.alive:
                    break
            events.close()
            labels = [percept.label async for percept in events]
            phases: list[str] = []
            with anyio.fail_after(10):  # telemetry may be overtaken by the news that nobody lives any more
                async for told in health:
                    phases.append(told.phase)
                    if told.phase == "stopped":
                        break
            return labels, seen, phases

    labels, seen, phases = on_loop(live)
    assert counter.wait() == 0
    assert labels == [f"n{number}" for number in range(1, len(labels) + 1)]
    assert counter.logged("stopped")[0]["handled"] == len(labels)
    assert counter.logged("stopped")[0]["drained"] is True
    assert seen == [("counter", True), ("counter", False)]
    assert phases[-2:] == ["draining", "stopped"]
    assert not counter.announcement.exists()


def test_what_is_asked_before_a_step_is_known_in_it(
    specimen: Specimen, on_loop: Any, stimuli: Any, percepts: Any
) -> None:
    wonderer = specimen("wonderer")
    wonderer.start()
    asked: list[str] = []

    async def remembers(request: RecallRequest) -> Recall:
        asked.append(request.text)
        return Recall(episodes=(), path=f"answer-{len(asked)}")

    async def live() -> None:
        async with wonderer.bus() as bus, bus.serve(RECALL, remembers):
            labels = [(await percepts(bus, stimuli([number])))[0].label for number in (0, 1, 3)]
            assert labels == ["answer-1", "answer-1", "answer-2"]

    on_loop(live)
    assert asked == ["zoe", "zoe"]
    assert wonderer.metric("emily_questions_total", result="answered") == 2
    assert wonderer.metric("emily_question_seconds_count") == 2
    assert wonderer.stop() == 0


def test_without_an_answer_it_thinks_on_and_asks_nobody_for_a_while(
    specimen: Specimen, on_loop: Any, stimuli: Any, percepts: Any
) -> None:
    wonderer = specimen("wonderer")
    wonderer.start()

    async def live() -> None:
        async with wonderer.bus() as bus:
            labels = [(await percepts(bus, stimuli([number])))[0].label for number in (0, 3)]
            assert labels == ["unanswered", "unanswered"]

    on_loop(live)
    assert wonderer.metric("emily_questions_total", result="unanswered") == 1
    assert wonderer.metric("emily_questions_total", result="not asked") == 1
    assert wonderer.stop() == 0


def test_an_answer_that_does_not_come_is_not_waited_for(
    specimen: Specimen, on_loop: Any, stimuli: Any, percepts: Any
) -> None:
    wonderer = specimen("wonderer")
    wonderer.start()

    thought = anyio.Event()

    async def hangs(_: RecallRequest) -> Recall:
        await thought.wait()
        return Recall(episodes=(), path="too-late")

    async def live() -> None:
        async with wonderer.bus() as bus, bus.serve(RECALL, hangs):
            (percept,) = await percepts(bus, stimuli([0]))
            thought.set()
            assert percept.label == "unanswered"

    on_loop(live)
    assert wonderer.stop() == 0


def test_while_other_events_wait_nobody_is_asked(
    specimen: Specimen, on_loop: Any, stimuli: Any, percepts: Any
) -> None:
    wonderer = specimen("wonderer")
    wonderer.start()

    async def remembers(_: RecallRequest) -> Recall:
        return Recall(episodes=(), path="answered")

    async def live() -> None:
        async with wonderer.bus() as bus, bus.serve(RECALL, remembers):
            heard = await percepts(bus, [*stimuli([1], text="slow"), *stimuli(range(2, 7))])
            assert [percept.label for percept in heard if percept.subject == "zoe"] == [
                "unanswered",
                "answered",
            ]

    on_loop(live)
    assert wonderer.metric("emily_questions_total", result="not asked") == 1
    assert wonderer.stop() == 0


def test_a_mind_begins_with_what_it_is_told_at_its_start(
    specimen: Specimen, on_loop: Any, stimuli: Any
) -> None:
    debtor = specimen("debtor")
    (stimulus,) = stimuli([0])

    async def answer(_: StandingRequest) -> Standing:
        return standing(stimulus, Role.SHADOW)

    async def live() -> None:
        async with debtor.bus() as bus, bus.serve(CURRENT_STANDING, answer):
            await anyio.to_thread.run_sync(debtor.start)
            await owes(debtor, 0, role="shadow")
            await bus.publish(STANDING, standing(stimulus, Role.ACTIVE))
            await owes(debtor, 0, role="active")

    on_loop(live)
    assert debtor.stop() == 0
    debtor.start()
    assert debtor.metric("specimen_owed", role="active") == 0, "nobody told, and it remembers"
    assert debtor.logged("begins without an answer")
    assert debtor.stop() == 0


def test_what_is_fetched_from_a_mind_is_no_more_in_it_and_nothing_is_fetched_twice(
    specimen: Specimen, on_loop: Any, stimuli: Any
) -> None:
    debtor = specimen("debtor")
    debtor.start()
    sent = stimuli(range(200))
    fetched: list[float] = []

    async def live() -> None:
        async with debtor.bus() as bus, anyio.create_task_group() as tasks:
            tasks.start_soon(fetch, bus)
            for stimulus in sent:
                await bus.publish(STIMULUS, stimulus)
            while sum(fetched) < len(sent):
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
            with pytest.raises(ErrorReply, match="phase: leave it out"):
                await bus.ask(ATTEND, AttentionRequest(drives=(1.0,), phase=1.0), timeout=5)

    async def fetch(bus: Bus) -> None:
        while True:
            fetched.append((await bus.ask(ATTEND, AttentionRequest(drives=(1.0,)), timeout=5)).frequency)

    on_loop(live)
    assert sum(fetched) == len(sent)
    assert debtor.metric("specimen_owed", role="unknown") == 0
    assert debtor.stop() == 0


async def owes(debtor: ServiceProcess, count: int, *, role: str) -> None:
    """Wait until it says so."""

    def said() -> bool:
        try:
            return debtor.metric("specimen_owed", role=role) == count
        except LookupError:
            return False

    await anyio.to_thread.run_sync(lambda: debtor.wait_until(said))


def standing(cause: Stimulus, role: Role) -> Standing:
    return Standing(id=cause.id, at=cause.at, stimulus_id=cause.id, role=role, version=1)
