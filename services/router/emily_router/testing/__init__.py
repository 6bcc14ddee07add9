"""A colour that answers by rule, for tests of a real router."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import anyio
from emily_bus import Bus, BusSettings
from emily_bus.trace import traceparent
from emily_contracts.body import Modulation
from emily_contracts.decision import Act, Decision, Status
from emily_contracts.envelope import successor_id, uuid7
from emily_contracts.percept import Percept
from emily_contracts.stimulus import Signal, Stimulus
from emily_contracts.topics import DECISION, OUTBOUND_DECISION, PERCEPT, STIMULUS
from emily_runtime.testing import ServiceProcess


def on_loop[**P](test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """The test on an event loop of its own, cancelled after 50 s."""

    @functools.wraps(test)
    def run(*arguments: P.args, **named: P.kwargs) -> None:
        async def in_time() -> None:
            with anyio.fail_after(50):
                await test(*arguments, **named)

        anyio.run(in_time)

    return run


def stimulus(*, deadline_ms: int = 10_000, modality: str = "vision", text: str = "decide") -> Stimulus:
    """A stimulus whose text tells the colour of the test what to do: decide, perceive, nothing."""
    now = datetime.now(UTC)
    identity = uuid7(now)
    return Stimulus(
        id=identity,
        at=now,
        stimulus_id=identity,
        modality=modality,
        signals=(Signal(channel="fovea", values=(1.0,)),),
        text=text,
        deadline_ms=deadline_ms,
    )


def percept_of(cause: Stimulus) -> Percept:
    """What tier 1 would make of it: labelled 'seven'."""
    return Percept(
        id=successor_id(cause.id, "percept"),
        at=cause.at,
        stimulus_id=cause.id,
        causation_id=cause.id,
        modality=cause.modality,
        subject=cause.subject,
        episode=cause.episode,
        modulation=Modulation(),
        label="seven",
    )


def decision_of(cause: Stimulus) -> Decision:
    """What tier 3 would make of it: a look at place 3."""
    return Decision(
        id=successor_id(cause.id, "decision"),
        at=cause.at,
        stimulus_id=cause.id,
        causation_id=cause.id,
        modality=cause.modality,
        subject=cause.subject,
        episode=cause.episode,
        status=Status.DECIDED,
        act=Act(kind="look", place=3),
    )


class Stage:
    """What the test sees on the bus: it plays the colour and a client in the root space.

    Attributes:
        root: The client's bus.
        answers: Every decision that left the router, in order.
        forwarded: Every stimulus that reached the colour, in order.
        traces: The trace context that each of them came in.
    """

    def __init__(self, root: Bus, colour: Bus) -> None:
        self.root = root
        self.colour = colour
        self.answers: list[Decision] = []
        self.forwarded: list[Stimulus] = []
        self.traces: list[str | None] = []
        self._changed = anyio.Event()

    async def until_answered(self, count: int) -> None:
        """Returns when `count` answers came."""
        with anyio.fail_after(20):
            while len(self.answers) < count:
                self._changed = anyio.Event()
                await self._changed.wait()

    async def until_forwarded(self, count: int) -> None:
        """Returns when `count` stimuli reached the colour."""
        with anyio.fail_after(20):
            while len(self.forwarded) < count:
                self._changed = anyio.Event()
                await self._changed.wait()

    def note(self) -> None:
        """Wakes whoever waits for a change."""
        self._changed.set()


@asynccontextmanager
async def stage(endpoint: str, process: ServiceProcess) -> AsyncIterator[Stage]:
    """The bus of a running router, with a colour that does as each stimulus's text says."""
    settings = BusSettings(endpoint=endpoint)
    async with (
        Bus.open(settings, namespace=process.namespace, name="client") as root,
        Bus.open(settings, namespace=f"{process.namespace}/blue", name="mind") as colour,
        colour.subscribe(STIMULUS) as stimuli,
        root.subscribe(OUTBOUND_DECISION) as decisions,
        anyio.create_task_group() as tasks,
    ):
        seen = Stage(root, colour)

        async def think() -> None:
            async for heard in stimuli:
                seen.forwarded.append(heard)
                seen.traces.append(traceparent.get())
                seen.note()
                if heard.text in ("perceive", "decide"):
                    await colour.publish(PERCEPT, percept_of(heard))
                if heard.text == "decide":
                    await colour.publish(DECISION, decision_of(heard))

        async def listen() -> None:
            async for decision in decisions:
                seen.answers.append(decision)
                seen.note()

        tasks.start_soon(think)
        tasks.start_soon(listen)
        yield seen
        tasks.cancel_scope.cancel()
