"""A real bus router, and specimens that run as real processes on it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from emily_bus import Bus
from emily_bus.testing import router
from emily_contracts import Percept, Signal, Stimulus, uuid7
from emily_contracts.topics import PERCEPT, STIMULUS
from emily_runtime.testing import ServiceProcess
from emily_runtime.testing.infisical import Clock, StandIn

SPECIMEN = str(Path(__file__).with_name("specimen.py"))
DEADLINE_S = 20.0
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="session", autouse=True)
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Child processes share compiled modules, also where the environment forbids to keep them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("compiled")))
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        yield


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """Of a bus router that all tests share."""
    with router() as listening:
        yield listening


@pytest.fixture
def specimen(endpoint: str, tmp_path: Path) -> Iterator[Callable[[str], ServiceProcess]]:
    """Makes specimens in a namespace and a state folder of the test's own."""
    made: list[ServiceProcess] = []
    namespace = f"emily/{tmp_path.name.replace('_', '-').lower()}"

    def make(name: str) -> ServiceProcess:
        command = (sys.executable, SPECIMEN, name)
        process = ServiceProcess(
            command, name=name, endpoint=endpoint, namespace=namespace, state_dir=tmp_path
        )
        made.append(process)
        return process

    yield make
    for process in made:
        process.kill()


@pytest.fixture
def on_loop() -> Callable[[Callable[[], Coroutine[Any, Any, Any]]], Any]:
    """Runs a coroutine function on an event loop of its own, within a deadline."""

    def run(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        async def in_time() -> Any:
            with anyio.fail_after(DEADLINE_S):
                return await work()

        return anyio.run(in_time)

    return run


@pytest.fixture
def stimuli() -> Callable[..., list[Stimulus]]:
    """Makes stimuli that are the same in every run, by their numbers."""

    def make(numbers: Sequence[int], *, modality: str = "vision", text: str | None = None) -> list[Stimulus]:
        return [_stimulus(number, modality, text) for number in numbers]

    return make


@pytest.fixture
def percepts() -> Callable[..., Coroutine[Any, Any, list[Percept]]]:
    """Publishes stimuli and hears the percepts that they are due."""

    async def hear(bus: Bus, sent: Sequence[Stimulus], *, due: int | None = None) -> list[Percept]:
        heard: list[Percept] = []
        async with bus.subscribe(PERCEPT) as events:
            for stimulus in sent:
                await bus.publish(STIMULUS, stimulus)
            async for percept in events:
                heard.append(percept)
                if len(heard) == (len(sent) if due is None else due):
                    return heard
        return heard

    return hear


@pytest.fixture
def server() -> Iterator[StandIn]:
    """An Infisical that takes nothing that a real one would not."""
    stand_in = StandIn()
    stand_in.start()
    yield stand_in
    stand_in.stop()
    assert stand_in.broken == []


@pytest.fixture
def clock() -> Clock:
    """Goes when it is told to."""
    return Clock()


def _stimulus(number: int, modality: str, text: str | None) -> Stimulus:
    at = BEGINNING + timedelta(milliseconds=number)
    identity = uuid7(at, number.to_bytes(10))
    return Stimulus(
        id=identity,
        at=at,
        stimulus_id=identity,
        modality=modality,
        subject=("zoe", "ada", "mia")[number % 3],
        signals=(Signal(channel="fovea", values=(float(number),)),),
        text=text,
    )
