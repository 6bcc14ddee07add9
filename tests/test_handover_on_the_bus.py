"""Two stacks of real processes on a real bus, without a router: minds move while they think."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from emily_bus import Bus, BusSettings, Subscription
from emily_bus.testing import router
from emily_contracts import (
    Adopted,
    Adoption,
    Barrier,
    Decision,
    Message,
    Outcome,
    StateRequest,
    StateSnapshot,
    Stimulus,
    uuid7,
)
from emily_contracts.topics import ADOPT, DECISION, OUTCOME, REFLEX_BARRIER, STATE, STIMULUS
from emily_runtime.testing import service_process
from emily_world.settings import WorldSettings

EPISODES = 40
EVERY = 7
"""Events between two moves."""
TIERS = ("reflex", "workspace", "inference")
COLOURS = ("blue", "green")
DEADLINE_S = 40.0
HANDOVER_S = 5.0


@pytest.fixture
def endpoint(models: Any, tmp_path: Path) -> Iterator[str]:
    """Of a bus on which a blue and a green stack live."""
    settings = {
        "reflex": {"model": str(models.reflex)},
        "workspace": {},
        "inference": {"model": str(models.inference), "recall": "false"},
    }
    with router() as listening, ExitStack() as stack:
        made = [
            (
                tier,
                stack.enter_context(
                    service_process(
                        tier, endpoint=listening, namespace=f"emily/{colour}", state_dir=tmp_path / colour
                    )
                ),
            )
            for colour in COLOURS
            for tier in TIERS
        ]
        for colour in COLOURS:
            (tmp_path / colour).mkdir()
        for tier, process in made:
            process.launch(**settings[tier])
        for _, process in made:
            process.wait_until(process.is_ready)
        yield listening


class AtHome:
    """Tiers in one process whose mind never moves.

    Attributes:
        heard: Every event, in order.
        decided: What was decided.
    """

    def __init__(self, tiers: Any) -> None:
        self._tiers = tiers
        self.heard: list[Message] = []
        self.decided: list[Decision] = []

    def hear(self, event: Message) -> Decision | None:
        self.heard.append(event)
        decision: Decision | None = self._tiers.hear(event)
        return decision


class Colour:
    """One stack, as seen from the bus."""

    def __init__(self, bus: Bus, decisions: Subscription) -> None:
        self._bus = bus
        self._decisions = decisions

    async def give(self, event: Message) -> None:
        """Let it hear a stimulus or an outcome."""
        if isinstance(event, Stimulus):
            await self._bus.publish(STIMULUS, event)
        elif isinstance(event, Outcome):
            await self._bus.publish(OUTCOME, event)

    async def decision(self) -> Decision:
        """The next one."""
        async for decision in self._decisions:
            assert isinstance(decision, Decision)
            return decision
        raise AssertionError("the subscription ended")

    async def mind(self) -> list[StateSnapshot]:
        """What its tiers remember behind the events that it was given by now."""
        at = datetime.now(UTC)
        identity = uuid7(at)
        await self._bus.publish(REFLEX_BARRIER, Barrier(id=identity, at=at, stimulus_id=identity))
        return [
            await self._bus.ask(STATE, StateRequest(service=tier, barrier=identity), timeout=HANDOVER_S)
            for tier in TIERS
        ]

    async def take_over(self, mind: list[StateSnapshot]) -> None:
        """Go on from another stack's mind."""
        for snapshot in mind:
            adoption = Adoption(service=snapshot.service, snapshot=snapshot)
            adopted = await self._bus.ask(ADOPT, adoption, timeout=HANDOVER_S)
            assert adopted == Adopted(service=snapshot.service)


@asynccontextmanager
async def colour_on(endpoint: str, name: str) -> AsyncIterator[Colour]:
    settings = BusSettings(endpoint=endpoint)
    async with (
        Bus.open(settings, namespace=f"emily/{name}", name="test") as bus,
        bus.subscribe(DECISION) as decisions,
    ):
        yield Colour(bus, decisions)


def test_minds_that_move_with_events_right_before_the_barrier_decide_as_at_home_bit_for_bit(
    loopback: Any, models: Any, endpoint: str
) -> None:
    at_home = AtHome(loopback.Tiers.of(models))
    loopback.perceive(at_home, WorldSettings(run="test", episodes=EPISODES), at_home.decided.append)

    async def move_about() -> tuple[list[Decision], int]:
        decided: list[Decision] = []
        moves = 0
        async with colour_on(endpoint, "blue") as blue, colour_on(endpoint, "green") as green:
            for number, event in enumerate(at_home.heard):
                hears, other = (blue, green) if moves % 2 == 0 else (green, blue)
                await hears.give(event)
                if number % EVERY == 0:
                    await other.take_over(await hears.mind())
                    moves += 1
                if isinstance(event, Stimulus):
                    decided.append(await hears.decision())
        return decided, moves

    async def in_time() -> tuple[list[Decision], int]:
        with anyio.fail_after(DEADLINE_S):
            return await move_about()

    decided, moves = anyio.run(in_time)
    assert moves >= 20
    assert decided == at_home.decided
