"""A deploy under a steady trickle of stimuli, and what became of them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any, NamedTuple

import anyio
import anyio.to_thread
from emily import launch
from emily.bus import settings as bus_settings
from emily.system import Layout
from emily_bus import Bus
from emily_contracts.routing import TrafficRequest
from emily_contracts.topics import CURRENT_TRAFFIC
from emily_runtime.stacks import Stack, read_stacks
from stimuli import Client, client, look

RATE_HZ = 40
ANSWERED_S = 20
READY_S = 30
QUICK = ("--steps", "50", "--window", "0.5s", "--patience", "8s")


class Ended(NamedTuple):
    """How a deploy ended.

    Attributes:
        code: Exit code of the command.
        deploy: As the command told it.
        statuses: How many stimuli were answered how.
        reasons: Why stimuli were answered without a thought.
    """

    code: int
    deploy: dict[str, Any]
    statuses: dict[str, int]
    reasons: set[str]


def deploy(
    layout: Layout,
    run: Callable[..., subprocess.CompletedProcess[str]],
    version: str,
    *options: str,
    meanwhile: Callable[[], None] | None = None,
) -> Ended:
    """Deploy a version while stimuli come in; each must get exactly one answer."""

    async def main() -> Ended:
        async with client(layout) as speaker, anyio.create_task_group() as tasks:
            tasks.start_soon(_trickle, speaker)
            command = ("deploy", version, *options, "--json")
            results: list[subprocess.CompletedProcess[str]] = []
            async with anyio.create_task_group() as both:
                if meanwhile is not None:
                    both.start_soon(anyio.to_thread.run_sync, meanwhile)
                results.append(await anyio.to_thread.run_sync(lambda: run(layout, *command)))
            (done,) = results
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await speaker.until_answered(ANSWERED_S)
                await anyio.sleep(0.5)
            for answers in speaker.answers.values():
                assert len({answer.id for answer in answers}) == 1
            assert done.stdout, done.stderr
            told = json.loads(done.stdout.splitlines()[0])
            return Ended(done.returncode, told, dict(speaker.statuses()), speaker.reasons())
        raise AssertionError

    return anyio.run(main)


def settled_on(layout: Layout, colour: str, release: str) -> None:
    """One colour runs and answers all, and nobody deploys."""

    async def roles() -> tuple[str, str | None, str | None]:
        settings = bus_settings(layout)
        async with Bus.open(settings, namespace="emily", name="test") as bus:
            table = (await bus.ask(CURRENT_TRAFFIC, TrafficRequest(), timeout=5)).table
            return table.active, table.canary, table.shadow

    assert anyio.run(roles) == (colour, None, None)
    wanted = read_stacks(layout.state_dir) or (Stack(colour=layout.colour),)
    assert [(stack.colour, stack.release) for stack in wanted] == [(colour, release)]
    running = {part.namespace for part in launch.require_running(layout).parts if "/" in part.namespace}
    assert running == {f"emily/{colour}"}


async def _trickle(speaker: Client) -> None:
    """Each of a subject of its own, so that every share of them is met."""
    number = 0
    while True:
        await speaker.send(look(number % 64, subject=f"deploy-{number}", deadline_ms=10_000))
        number += 1
        await anyio.sleep(1 / RATE_HZ)
