"""What was lived while no memory is there waits with whoever answers the subject, wherever traffic moves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import pytest
from emily_bus import Bus, BusSettings
from emily_contracts import (
    ChangeTraffic,
    LivedRequest,
    TrafficRequest,
    route,
    successor_id,
)
from emily_contracts.topics import (
    CHANGE_TRAFFIC,
    CURRENT_TRAFFIC,
    EXPERIENCE,
    INBOUND_OUTCOME,
    LIVED,
    OUTBOUND_DECISION,
)
from emily_runtime.testing import ServiceProcess
from emily_runtime.tokens import read
from stimuli import Client, look, outcome

pytestmark = pytest.mark.timeout(120)

SUBJECTS = [f"subject-{number}" for number in range(12)]
ASK_S = 5.0
PATIENCE_S = 10.0
A_DEPLOY_THAT_GOES_BACK_AND_ONE_THAT_STAYS: list[dict[str, Any]] = [
    {"active": "blue", "shadow": "green"},
    {"active": "blue", "canary": "green", "weight": 3000},
    {"active": "blue", "canary": "green", "weight": 6000},
    {"active": "blue"},
    {"active": "blue", "shadow": "green"},
    {"active": "blue", "canary": "green", "weight": 5000},
    {"active": "green"},
]

type Whose = dict[UUID, str]
"""Subjects by experience."""


def test_who_answers_a_subject_holds_what_it_lived_and_a_shadow_holds_nothing(
    two_colours: Any, models: Any, tmp_path: Path
) -> None:
    with two_colours.town(models, tmp_path) as traffic:
        anyio.run(_deploy, traffic)


async def _deploy(traffic: ServiceProcess) -> None:
    async with _open(traffic) as (speaker, colours, said_by_green):
        lived = await _lived(speaker, "before")
        for step, roles in enumerate(A_DEPLOY_THAT_GOES_BACK_AND_ONE_THAT_STAYS):
            await _changed(speaker.bus, traffic, roles)
            await _all_held(speaker.bus, colours, lived)
            fresh = await _lived(speaker, f"step-{step}")
            lived |= fresh
            await _all_held(speaker.bus, colours, lived)
            if "shadow" in roles:
                await _until_true(lambda: fresh.keys() <= said_by_green)  # noqa: B023
                assert not fresh.keys() & await _held(colours["green"])


@asynccontextmanager
async def _open(traffic: ServiceProcess) -> AsyncIterator[tuple[Client, dict[str, Bus], set[UUID]]]:
    """A client, the bus of each colour, and what green says that it lived."""
    settings = BusSettings(endpoint=traffic.endpoint)
    async with AsyncExitStack() as stack:
        root, blue, green = [
            await stack.enter_async_context(Bus.open(settings, namespace=namespace, name="world"))
            for namespace in ("emily", "emily/blue", "emily/green")
        ]
        decisions = await stack.enter_async_context(root.subscribe(OUTBOUND_DECISION))
        experiences = await stack.enter_async_context(green.subscribe(EXPERIENCE))
        tasks = await stack.enter_async_context(anyio.create_task_group())
        speaker, said = Client(root), set[UUID]()

        async def listen() -> None:
            async for decision in decisions:
                speaker.answers[decision.stimulus_id].append(decision)

        async def witness() -> None:
            async for experience in experiences:
                said.add(experience.id)

        tasks.start_soon(listen)
        tasks.start_soon(witness)
        yield speaker, {"blue": blue, "green": green}, said
        tasks.cancel_scope.cancel()


async def _lived(speaker: Client, episode: str) -> Whose:
    """What became of one look of each subject, by the experience that this is worth."""
    lived = {}
    for subject in SUBJECTS:
        decision = await speaker.ask(look(subject=subject, episode=episode), timeout=PATIENCE_S)
        await speaker.bus.publish(INBOUND_OUTCOME, outcome(decision))
        lived[successor_id(decision.id, "memory of outcome")] = subject
    return lived


async def _all_held(root: Bus, colours: dict[str, Bus], lived: Whose) -> None:
    """Wait until each experience is held by the colour that answers its subject."""
    table = (await root.ask(CURRENT_TRAFFIC, TrafficRequest(), timeout=ASK_S)).table
    missing = set(lived)
    with anyio.fail_after(PATIENCE_S):
        while missing:
            held = {name: await _held(bus) for name, bus in colours.items()}
            missing = {each for each, subject in lived.items() if each not in held[route(table, subject)]}
            await anyio.sleep(0.02)


async def _held(colour: Bus) -> set[UUID]:
    lived = await colour.ask(LIVED, LivedRequest(), timeout=ASK_S)
    return {experience.id for experience in lived.experiences}


async def _changed(root: Bus, traffic: ServiceProcess, roles: dict[str, Any]) -> None:
    token = next(iter(read(traffic.state_dir / "traffic.token").values()))
    table = (await root.ask(CURRENT_TRAFFIC, TrafficRequest(), timeout=ASK_S)).table
    order = ChangeTraffic(token=token, version=table.version, **roles)
    await root.ask(CHANGE_TRAFFIC, order, timeout=ASK_S)


async def _until_true(what: Callable[[], bool]) -> None:
    with anyio.fail_after(PATIENCE_S):
        while not what():
            await anyio.sleep(0.02)
