"""The workspace as a process: it answers on the bus and drains on a signal."""

from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest
from emily_bus.testing import router
from emily_contracts import Broadcast, GatedSignal, Percept
from emily_contracts.topics import BROADCAST, PERCEPT
from emily_runtime.testing import ServiceProcess, service_process

DEADLINE_S = 20.0

type Feel = Callable[..., Percept]


@pytest.fixture
def process(tmp_path: Path) -> Iterator[ServiceProcess]:
    with (
        router() as endpoint,
        service_process(
            "workspace", endpoint=endpoint, namespace="emily/blue", state_dir=tmp_path
        ) as process,
    ):
        yield process


async def broadcast_of(process: ServiceProcess, percept: Percept) -> Broadcast:
    with anyio.fail_after(DEADLINE_S):
        async with process.bus() as bus, bus.subscribe(BROADCAST) as broadcasts:
            await bus.publish(PERCEPT, percept)
            async for broadcast in broadcasts:
                assert isinstance(broadcast, Broadcast)
                return broadcast
    raise TimeoutError("the subscription ended without a broadcast")


def test_the_workspace_answers_and_drains(process: ServiceProcess, feel: Feel) -> None:
    process.start()
    fovea = GatedSignal(channel="fovea", values=(9.0,), place=3, salience=0.92, latency_ms=0.0)
    broadcast = anyio.run(broadcast_of, process, feel(fovea))
    assert [content.channel for content in broadcast.contents] == ["fovea"]
    assert process.metric("emily_workspace_remembered", what="subjects") == 1
    assert process.stop() == 0
    assert process.checkpoint.exists()


def test_wrong_settings_are_told_before_anything_starts(process: ServiceProcess) -> None:
    process.launch(capacity="3")
    assert process.wait() == 2
    assert "EMILY_WORKSPACE_CAPACITY" in process.log.read_text()
