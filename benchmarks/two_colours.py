"""Real minds in two colours behind a real router, and what they decide while traffic moves between them.

The events are those that minds at home, in one process, lived through; so their decisions can be held
against each other bit for bit.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from emily_bus import Bus, BusSettings, Subscription
from emily_bus.testing import router
from emily_contracts import Decision, Message, Outcome, Stimulus
from emily_contracts.routing import ChangeTraffic, RoutingTable, TrafficRequest
from emily_contracts.topics import (
    CHANGE_TRAFFIC,
    CURRENT_TRAFFIC,
    INBOUND_OUTCOME,
    INBOUND_STIMULUS,
    OUTBOUND_DECISION,
)
from emily_runtime.testing import ServiceProcess, service_process
from emily_runtime.tokens import read
from emily_world.settings import WorldSettings
from loopback import Models, Tiers, perceive

COLOURS = ("blue", "green")
TIERS = ("reflex", "workspace", "inference")
ASK_S = 5.0
ANSWER_S = 20.0


@dataclass
class AtHome:
    """Tiers in one process whose mind never moves.

    Attributes:
        heard: Every event, in order.
        decided: What was decided.
    """

    tiers: Tiers
    heard: list[Message] = field(default_factory=list)
    decided: list[Decision] = field(default_factory=list)

    @classmethod
    def through(cls, models: Models, episodes: int) -> AtHome:
        """Minds that have lived through so many episodes."""
        home = cls(Tiers.of(models))
        settings = WorldSettings(run="home", episodes=episodes, answer_timeout_s=ANSWER_S)
        perceive(home, settings, home.decided.append)  # type: ignore[arg-type]
        return home

    def hear(self, event: Message) -> Decision | None:
        """The decision about a stimulus; none about an outcome."""
        self.heard.append(event)
        return self.tiers.hear(event)


@dataclass
class Abroad:
    """The same events through a router.

    Attributes:
        decided: What was decided.
        switch_s: Seconds that each change of traffic took, as who ordered it saw it.
        under_way: Changes that were ordered while a stimulus was being thought about.
    """

    decided: list[Decision] = field(default_factory=list)
    switch_s: list[float] = field(default_factory=list)
    under_way: int = 0


@contextmanager
def town(models: Models, folder: Path) -> Iterator[ServiceProcess]:
    """A running router, and minds in two colours."""
    settings: dict[str, dict[str, str]] = {
        "reflex": {"model": str(models.reflex)},
        "workspace": {},
        "inference": {"model": str(models.inference), "recall": "false"},
    }
    with router() as endpoint, ExitStack() as stack:

        def process(name: str, namespace: str, state_dir: Path) -> ServiceProcess:
            state_dir.mkdir(exist_ok=True)
            return stack.enter_context(
                service_process(name, endpoint=endpoint, namespace=namespace, state_dir=state_dir)
            )

        made = [(tier, process(tier, f"emily/{name}", folder / name)) for name in COLOURS for tier in TIERS]
        traffic = process("router", "emily", folder / "traffic")
        for tier, each in made:
            each.launch(**settings[tier])
        traffic.launch(http_port="0")
        for each in (*(each for _, each in made), traffic):
            each.wait_until(each.is_ready)
        yield traffic


async def lived_through(
    traffic: ServiceProcess, events: Sequence[Message], *, switches: int, seed: int = 0
) -> Abroad:
    """The events in their order, with switches at random moments, most of them while something is decided.

    Raises:
        TimeoutError: A stimulus was not answered.
    """
    abroad, chance = Abroad(), random.Random(seed)
    stimuli = [number for number, event in enumerate(events) if isinstance(event, Stimulus)]
    moments = set(chance.sample(stimuli, switches))
    token = next(iter(read(traffic.state_dir / "traffic.token").values()))
    async with (
        Bus.open(BusSettings(endpoint=traffic.endpoint), namespace="emily", name="world") as bus,
        bus.subscribe(OUTBOUND_DECISION) as decisions,
        anyio.create_task_group() as tasks,
    ):
        ordered = anyio.Lock()

        async def switch() -> None:
            await anyio.sleep(chance.uniform(0, 0.004))
            async with ordered:
                abroad.under_way += bool(waiting)
                abroad.switch_s.append(await _switched(bus, token))

        waiting: set[Any] = set()
        for number, event in enumerate(events):
            if number in moments:
                tasks.start_soon(switch)
            if isinstance(event, Stimulus):
                waiting.add(event.id)
                await bus.publish(INBOUND_STIMULUS, event)
                abroad.decided.append(await _decision(decisions))
                waiting.clear()
            elif isinstance(event, Outcome):
                await bus.publish(INBOUND_OUTCOME, event)
    return abroad


def differing(home: Sequence[Decision], abroad: Sequence[Decision]) -> list[str]:
    """In words, where decisions are not the same bit for bit."""
    found = [
        f"decision {number}: {_first_difference(one, other)}"
        for number, (one, other) in enumerate(zip(home, abroad, strict=False))
        if one != other
    ]
    return found if len(home) == len(abroad) else [*found, f"{len(abroad)} decisions, {len(home)} at home"]


async def _switched(bus: Bus, token: str) -> float:
    table: RoutingTable = (await bus.ask(CURRENT_TRAFFIC, TrafficRequest(), timeout=ASK_S)).table
    other = COLOURS[1 - COLOURS.index(table.active)]
    began = time.perf_counter()
    order = ChangeTraffic(token=token, version=table.version, active=other)
    await bus.ask(CHANGE_TRAFFIC, order, timeout=ASK_S)
    return time.perf_counter() - began


async def _decision(decisions: Subscription) -> Decision:
    with anyio.fail_after(ANSWER_S):
        async for decision in decisions:
            assert isinstance(decision, Decision)
            return decision
    raise AssertionError("the subscription ended")


def _first_difference(one: Decision, other: Decision) -> str:
    differs: Callable[[str], bool] = lambda name: getattr(one, name) != getattr(other, name)  # noqa: E731
    names = [name for name in one.__struct_fields__ if differs(name)]
    return ", ".join(f"{name} {getattr(one, name)} / {getattr(other, name)}" for name in names)[:300]
