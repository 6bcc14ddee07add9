"""Stimuli and answers for the tests that speak to a running system."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import anyio
from emily.bus import settings as bus_settings
from emily.system import Layout
from emily_bus import Bus
from emily_contracts import Decision, Outcome, Signal, Status, Stimulus, successor_id, uuid7
from emily_contracts.topics import INBOUND_STIMULUS, OUTBOUND_DECISION


def look(place: int = 27, grey: float = 3.0, **changes: Any) -> Stimulus:
    """A look at one place of a picture."""
    at = datetime.now(UTC)
    identity = uuid7(at)
    fields: dict[str, Any] = {
        "id": identity,
        "at": at,
        "stimulus_id": identity,
        "modality": "vision",
        "subject": "test",
        "episode": "one",
        "attended": "fovea",
        "signals": (Signal(channel="fovea", values=(grey,), place=place),),
    }
    return Stimulus(**(fields | changes))


def outcome(decision: Decision, reward: float = 1.0) -> Outcome:
    """What became of a decision."""
    return Outcome(
        id=successor_id(decision.id, "outcome"),
        at=decision.at,
        stimulus_id=decision.stimulus_id,
        decision_id=decision.id,
        modality=decision.modality,
        subject=decision.subject,
        episode=decision.episode,
        reward=reward,
    )


class Client:
    """Sends stimuli and keeps every answer."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.answers: dict[UUID, list[Decision]] = {}
        self._sent: dict[UUID, Stimulus] = {}

    async def send(self, stimulus: Stimulus) -> None:
        """Publish one stimulus."""
        self.answers.setdefault(stimulus.id, [])
        self._sent[stimulus.id] = stimulus
        await self.bus.publish(INBOUND_STIMULUS, stimulus)

    async def ask(self, stimulus: Stimulus, timeout: float = 5.0) -> Decision:
        """Publish one stimulus and wait for its answer."""
        await self.send(stimulus)
        await self.until_answered(timeout)
        return self.answers[stimulus.id][0]

    async def ask_again(self) -> None:
        """Publish what has no answer once more, under the same id: a dead router may not have heard it."""
        for identity, answers in list(self.answers.items()):
            if not answers:
                await self.bus.publish(INBOUND_STIMULUS, self._sent[identity])

    async def until_answered(self, timeout: float) -> None:
        """Wait until everything sent is answered."""
        with anyio.fail_after(timeout):
            while not all(self.answers.values()):
                await anyio.sleep(0.005)

    def statuses(self) -> Counter[str]:
        """How many stimuli were answered how, by their first answer."""
        return Counter(answers[0].status.value for answers in self.answers.values() if answers)

    def reasons(self) -> set[str]:
        """Why stimuli were answered without a thought, by their first answer."""
        first = [answers[0] for answers in self.answers.values() if answers]
        return {answer.reason for answer in first if answer.status in (Status.DEGRADED, Status.FAILED)}


@asynccontextmanager
async def client(layout: Layout) -> AsyncIterator[Client]:
    """A client on the bus of a running system."""
    settings = bus_settings(layout)
    async with (
        Bus.open(settings, namespace="emily", name="client") as bus,
        bus.subscribe(OUTBOUND_DECISION) as decisions,
        anyio.create_task_group() as tasks,
    ):
        speaker = Client(bus)

        async def listen() -> None:
            async for decision in decisions:
                if decision.stimulus_id in speaker.answers:
                    speaker.answers[decision.stimulus_id].append(decision)

        tasks.start_soon(listen)
        await anyio.sleep(0.3)
        yield speaker
        tasks.cancel_scope.cancel()
