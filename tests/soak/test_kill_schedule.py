"""A long schedule of kill -9 under load: every stimulus has one answer in the end."""

from __future__ import annotations

import os
import random
import signal

import anyio
import pytest
from emily import launch
from emily.system import Layout
from stimuli import Client, client, look

pytestmark = pytest.mark.soak

KILLS = 20
VICTIMS = ("reflex", "workspace", "inference", "router")
RATE_HZ = 40
PAUSE_S = (2.0, 5.0)
PATIENCE_S = 60
SEED = 11


def test_twenty_kills_cost_no_answer(victim: Layout) -> None:
    dice = random.Random(SEED)

    async def main() -> None:
        async with client(victim) as speaker:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_load, speaker)
                for _ in range(KILLS):
                    await anyio.sleep(dice.uniform(*PAUSE_S))
                    await _kill(victim, dice.choice(VICTIMS))
                await anyio.sleep(PAUSE_S[1])
                tasks.cancel_scope.cancel()
            with anyio.fail_after(PATIENCE_S):
                while not all(speaker.answers.values()):
                    await speaker.ask_again()
                    await anyio.sleep(2.0)
            for answers in speaker.answers.values():
                assert len({answer.id for answer in answers}) == 1
            statuses = speaker.statuses()
            print(dict(statuses))
            assert sum(statuses.values()) == len(speaker.answers) > RATE_HZ * KILLS
            assert statuses["decided"] > len(speaker.answers) / 3

    anyio.run(main)
    restarts = {part.name: part.restarts for part in launch.require_running(victim).parts}
    assert sum(restarts.values()) == KILLS


async def _load(speaker: Client) -> None:
    i = 0
    while True:
        await speaker.send(look(i % 64, subject=f"soak-{i % 5}", deadline_ms=3000))
        i += 1
        await anyio.sleep(1 / RATE_HZ)


async def _kill(layout: Layout, name: str) -> None:
    """Kill a service that runs; one that waits for its restart is waited for."""
    with anyio.fail_after(PATIENCE_S):
        while True:
            (part,) = [part for part in launch.require_running(layout).parts if part.name == name]
            if part.state == "running" and part.pid is not None:
                os.kill(part.pid, signal.SIGKILL)
                return
            await anyio.sleep(0.1)
