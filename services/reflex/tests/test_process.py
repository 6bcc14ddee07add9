"""Reflex as a process: it answers on the bus, drains on a signal, and remembers over a restart."""

from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest
from emily_bus.testing import router
from emily_contracts import Attention, AttentionRequest, Percept, Signal, Stimulus
from emily_contracts.topics import ATTEND, PERCEPT, STIMULUS
from emily_runtime.testing import ServiceProcess, service_process

DEADLINE_S = 20.0

type Sense = Callable[..., Stimulus]


@pytest.fixture
def process(tmp_path: Path) -> Iterator[ServiceProcess]:
    with (
        router() as endpoint,
        service_process("reflex", endpoint=endpoint, namespace="emily/blue", state_dir=tmp_path) as process,
    ):
        yield process


async def perceived(process: ServiceProcess, stimulus: Stimulus) -> Percept:
    with anyio.fail_after(DEADLINE_S):
        async with process.bus() as bus, bus.subscribe(PERCEPT) as percepts:
            await bus.publish(STIMULUS, stimulus)
            async for percept in percepts:
                assert isinstance(percept, Percept)
                return percept
    raise TimeoutError("the subscription ended without a percept")


async def attended(process: ServiceProcess) -> Attention:
    async with process.bus() as bus:
        return await bus.ask(ATTEND, AttentionRequest(drives=(0.2, 1.0), phase=0.0), timeout=DEADLINE_S)


def test_reflex_answers_and_is_the_same_mind_after_a_restart(
    process: ServiceProcess, model_file: Path, sense: Sense
) -> None:
    def fovea(place: int) -> Signal:
        return Signal(channel="fovea", place=place, values=(9.0,))

    process.start(model=str(model_file))
    first = anyio.run(perceived, process, sense(fovea(3)))
    assert first.label is not None
    assert anyio.run(attended, process).emitted == (1, 0)
    assert process.stop() == 0

    process.start(model=str(model_file))
    after = anyio.run(perceived, process, sense(fovea(40), after_s=0.1))
    assert after.similarity > first.similarity
    assert process.metric("emily_reflex_subjects", sense="vision") == 1
    assert process.stop() == 0


def test_a_missing_model_ends_the_process_and_says_how_to_make_one(
    process: ServiceProcess, tmp_path: Path
) -> None:
    process.launch(model=str(tmp_path / "none.npz"))
    assert process.wait() == 2
    assert "emily_reflex.train" in process.log.read_text()
