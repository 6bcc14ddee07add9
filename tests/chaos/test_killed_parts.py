"""kill -9 of any service under load: everything accepted is answered once, and the service comes back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from emily import launch
from emily.system import Layout, parts
from emily_contracts import Status
from harness import fresh_layout, up
from stimuli import client, look

pytestmark = pytest.mark.chaos

RATE_HZ = 50
SECONDS = 4.0
ANSWER_TIMEOUT_S = 30
BACK_S = 30


@pytest.fixture(scope="module")
def victim(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """A running system of which one part after the other is killed, each once."""
    layout = fresh_layout(tmp_path_factory.mktemp("victim"), trained)
    with up(layout):
        yield layout


@pytest.mark.timeout(150)
@pytest.mark.parametrize("name", ["reflex", "workspace", "inference", "router"])
def test_a_killed_service_costs_no_answer_and_comes_back(victim: Layout, name: str) -> None:
    async def main() -> None:
        async with client(victim) as speaker:
            for i in range(int(RATE_HZ * SECONDS)):
                await speaker.send(look(i % 64, subject=f"chaos-{i % 5}", deadline_ms=2000))
                if i == RATE_HZ:
                    _kill(victim, name)
                await anyio.sleep(1 / RATE_HZ)
            if name == "router":
                await anyio.sleep(3.0)
                await speaker.ask_again()
            await speaker.until_answered(ANSWER_TIMEOUT_S)
            await anyio.sleep(1.0)
            for answers in speaker.answers.values():
                assert len({answer.id for answer in answers}) == 1
            statuses = speaker.statuses()
            assert sum(statuses.values()) == len(speaker.answers)
            assert statuses["decided"] > 0
            with anyio.fail_after(BACK_S):
                while (
                    await speaker.ask(look(27, subject="afterwards"), timeout=BACK_S)
                ).status is not Status.DECIDED:
                    pass

    before = {part.name: part.pid for part in launch.require_running(victim).parts}
    anyio.run(main)
    after = {part.name: part for part in launch.require_running(victim).parts}
    assert after[name].restarts == 1
    assert after[name].pid != before[name]
    assert all(after[other].pid == pid for other, pid in before.items() if other != name)


@pytest.mark.timeout(150)
def test_a_killed_bus_comes_back_and_so_do_the_answers(victim: Layout) -> None:
    _kill(victim, "bus")
    deadline = time.monotonic() + 30

    async def main() -> str:
        async with client(victim) as speaker:
            while time.monotonic() < deadline:
                try:
                    return (await speaker.ask(look(27, subject="bus"), timeout=3)).status.value
                except TimeoutError:
                    speaker.answers.clear()
        return "nothing"

    async def patiently() -> str:
        while time.monotonic() < deadline:
            ready = launch.readiness(victim, parts(victim)[0])[0]
            if ready:
                return await main()
            await anyio.sleep(0.1)
        return "no bus"

    assert anyio.run(patiently) == "decided"


def _kill(layout: Layout, name: str) -> None:
    (pid,) = [part.pid for part in launch.require_running(layout).parts if part.name == name]
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
