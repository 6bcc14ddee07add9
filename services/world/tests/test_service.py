"""A world lives on a real bus: it ends by itself, counts silence, and stops when told."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from emily_bus import Bus, BusSettings
from emily_bus.testing import router
from emily_contracts import Act, Action, Decision, Outcome, Status, Stimulus, successor_id
from emily_contracts.topics import ACTION, INBOUND_OUTCOME, INBOUND_STIMULUS, OUTBOUND_DECISION
from emily_runtime import Life
from emily_runtime.testing import ServiceProcess, service_process
from emily_world.service import World
from emily_world.settings import WorldSettings

DEADLINE_S = 20.0

Mind = Callable[[Stimulus], Act]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with router() as endpoint:
        yield endpoint


@asynccontextmanager
async def lived(endpoint: str, mind: Mind | None, given: dict[str, Any]) -> AsyncIterator[tuple[Life, World]]:
    """A world's life beside a mind that answers every stimulus, or none at all."""
    settings = WorldSettings(bus_endpoint=endpoint, **given)
    bus_settings = BusSettings(endpoint=endpoint)
    with anyio.fail_after(DEADLINE_S):
        async with (
            Bus.open(bus_settings, namespace="emily", name="mind") as mind_bus,
            Bus.open(bus_settings, namespace="emily", name="world") as world_bus,
            anyio.create_task_group() as tasks,
        ):
            if mind is not None:
                await tasks.start(partial(answer_everything, mind_bus, mind))
            yield (
                Life(name="world", version="test", settings=settings, bus=world_bus, needs=()),
                World(settings),
            )
            tasks.cancel_scope.cancel()


async def answer_everything(
    bus: Bus, mind: Mind, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    async with bus.subscribe(INBOUND_STIMULUS) as stimuli:
        task_status.started()
        async for stimulus in stimuli:
            await bus.publish(OUTBOUND_DECISION, decided(stimulus, mind(stimulus)))


def decided(stimulus: Stimulus, act: Act) -> Decision:
    return Decision(
        id=successor_id(stimulus.id, "decision"),
        at=stimulus.at,
        stimulus_id=stimulus.id,
        modality=stimulus.modality,
        subject=stimulus.subject,
        episode=stimulus.episode,
        status=Status.DECIDED,
        act=act,
        reason="as the test wants it",
    )


def looks_twice(stimulus: Stimulus) -> Act:
    return Act(kind="report", label="3") if stimulus.signals[0].place == 5 else Act(kind="look", place=5)


async def heard(bus: Bus, *topics: Any, task_status: anyio.abc.TaskStatus[list[Any]]) -> None:
    messages: list[Any] = []
    async with bus.subscribe(*topics) as events:
        task_status.started(messages)
        async for message in events:
            messages.append(message)


def summary(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(capsys.readouterr().out)
    return line


def run(test: Callable[[], Awaitable[None]]) -> None:
    anyio.run(test)


def test_a_run_shows_every_picture_once_and_says_how_it_went(
    endpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes: list[Outcome] = []

    async def live() -> None:
        given = {"episodes": 7, "subjects": 3, "run": "seven"}
        async with lived(endpoint, looks_twice, given) as (life, world), anyio.create_task_group() as tasks:
            messages = await tasks.start(heard, life.bus, INBOUND_OUTCOME)
            await world.main(life)
            outcomes.extend(messages)
            tasks.cancel_scope.cancel()
        assert life.registry.get_sample_value("emily_world_score", {"count": "episodes"}) == 7

    run(live)
    told = summary(capsys)
    assert (told["episodes"], told["looks"], told["mean_looks"]) == (7, 14, 2.0)
    assert (told["retries"], told["failed"], told["run"]) == (0, 0, "seven")
    assert told["accuracy"] == round(told["correct"] / 7, 4)
    assert {outcome.subject for outcome in outcomes} <= {f"seven-{subject}" for subject in range(3)}


def test_silence_is_answered_by_retries_and_then_by_the_next_picture(
    endpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def live() -> None:
        given = {"episodes": 3, "subjects": 2, "retries": 1, "answer_timeout_s": 0.1}
        async with lived(endpoint, None, given) as (life, world):
            await world.main(life)

    run(live)
    told = summary(capsys)
    assert (told["episodes"], told["retries"], told["failed"]) == (0, 3, 3)


def test_a_world_that_is_told_to_stop_says_how_far_it_came(
    endpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def live() -> None:
        asked = anyio.Event()

        def never_decides(_: Stimulus) -> Act:
            asked.set()
            return Act(kind="none")

        given = {"episodes": 1_000_000}
        async with lived(endpoint, never_decides, given) as (life, world), anyio.create_task_group() as tasks:
            tasks.start_soon(world.main, life)
            await asked.wait()
            life.stopping.set()

    run(live)
    told = summary(capsys)
    assert told["episodes"] == 0
    assert told["failed"] < 1_000_000


def test_the_host_is_felt_as_often_as_asked_and_acts_are_carried_out(
    endpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    actions: list[Action] = []

    async def live() -> None:
        given = {"world": "host", "ticks": 3, "interval_s": 0.02, "run": "me", "answer_timeout_s": 0.5}
        kinds = iter(("throttle", "alert", "observe"))
        async with (
            lived(endpoint, lambda _: Act(kind=next(kinds)), given) as (life, world),
            anyio.create_task_group() as tasks,
        ):
            messages = await tasks.start(heard, life.bus, ACTION)
            await world.main(life)
            with anyio.fail_after(5):
                while len(messages) < 3:
                    await anyio.sleep(0.01)
            actions.extend(messages)
            tasks.cancel_scope.cancel()
        assert life.registry.get_sample_value("emily_world_host_readings") == 3

    run(live)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["world"], told["subject"], told["ticks"]) == ("host", "me", 3)
    assert [action.act.kind for action in actions] == ["throttle", "alert", "observe"]
    assert all(action.done for action in actions)


@pytest.fixture
def process(endpoint: str, tmp_path: Path) -> Iterator[ServiceProcess]:
    with service_process("world", endpoint=endpoint, namespace="emily", state_dir=tmp_path) as process:
        yield process


def last_line(process: ServiceProcess) -> dict[str, Any]:
    lines = [json.loads(line) for line in process.log.read_text().splitlines() if line.startswith('{"world"')]
    told: dict[str, Any] = lines[-1]
    return told


def test_the_process_ends_with_zero_when_its_pictures_are_over(process: ServiceProcess) -> None:
    process.launch(episodes="2", retries="0", answer_timeout_s="0.1")
    assert process.wait() == 0
    assert last_line(process)["failed"] == 2


def test_the_process_drains_on_a_signal(process: ServiceProcess) -> None:
    process.start(world="host", interval_s="60")
    assert process.stop() == 0
    assert last_line(process)["world"] == "host"


def test_wrong_settings_are_all_told_at_once(process: ServiceProcess) -> None:
    process.launch(strategy="lucky", episodes="0", colour="blue")
    assert process.wait() == 2
    for setting in ("EMILY_WORLD_STRATEGY", "EMILY_WORLD_EPISODES", "EMILY_WORLD_COLOUR"):
        assert setting in process.log.read_text()
