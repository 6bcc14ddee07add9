"""What colours make of their stimuli, heard on the bus without slowing anybody down.

A colour's own space tells which stimuli went to it and what became of its decisions; the root space tells the
one answer that left for each. So what is judged is what a client got. Each stimulus carries the variants of
flags that it came under, so that what a flag does is not taken for what the version does.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple
from uuid import UUID

import anyio
from emily_bus import Bus, BusSettings, Subscription
from emily_contracts import Decision, Outcome, Overflow, Stimulus
from emily_contracts.decision import Status
from emily_contracts.topics import OUTBOUND_DECISION, OUTCOME, STIMULUS

from emily_deployer.judging import Evidence, Observation

MOST_OPEN = 50_000
"""Stimuli whose answer is awaited; the oldest is forgotten."""
BUFFER = 16_384


class _Heard(NamedTuple):
    """A stimulus, and when it was heard on the way to its colour."""

    colour: str
    at: float


class Watcher:
    """Looks at colours.

    Args:
        settings: Of the bus.
        root: The root namespace.
    """

    def __init__(self, settings: BusSettings, *, root: str = "emily") -> None:
        self._settings = settings
        self._root = root

    @asynccontextmanager
    async def watch(self, seen: dict[str, Evidence]) -> AsyncIterator[None]:
        """Add what colours do to what was seen of them, by their names, for the length of the block."""
        notes, failure = Notes(seen), None
        observing = {"overflow": Overflow.DROP_OLDEST, "buffer": BUFFER}
        async with AsyncExitStack() as stack:

            async def session(namespace: str) -> Bus:
                opened = Bus.open(self._settings, namespace=namespace, name="deployer")
                return await stack.enter_async_context(opened)

            tasks = anyio.create_task_group()
            root = await session(self._root)
            answers = await stack.enter_async_context(root.subscribe(OUTBOUND_DECISION, **observing))  # type: ignore[arg-type]
            spaces = {
                colour: await stack.enter_async_context(
                    (await session(f"{self._root}/{colour}")).subscribe(STIMULUS, OUTCOME, **observing)  # type: ignore[arg-type]
                )
                for colour in seen
            }
            await stack.enter_async_context(tasks)
            tasks.start_soon(_listen, answers, notes)
            for colour, events in spaces.items():
                tasks.start_soon(_overhear, events, colour, notes)
            try:
                yield
            except Exception as error:
                failure = error  # as it is: a task group would wrap it
            tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure


class Notes:
    """Puts together which colour answered what, and how.

    Args:
        seen: Evidence by colour, which grows.
    """

    def __init__(self, seen: dict[str, Evidence]) -> None:
        self._seen = seen
        self._open: OrderedDict[UUID, _Heard] = OrderedDict()

    def forwarded(self, colour: str, stimulus: Stimulus, now: float) -> None:
        """A stimulus went to a colour; one that is sent there again counts from the first time on."""
        if stimulus.id not in self._open:
            self._seen[colour].exposures.add(stimulus.subject, stimulus.flags)
            self._open[stimulus.id] = _Heard(colour, now)
            if len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)

    def answered(self, decision: Decision, now: float) -> None:
        """The answer to a stimulus left."""
        heard = self._open.pop(decision.stimulus_id, None)
        if heard is None:
            return
        decided = decision.status is Status.DECIDED
        energy = decision.expected_free_energy
        self._seen[heard.colour].add(
            Observation(
                failed=decision.status in {Status.FAILED, Status.DEGRADED},
                latency_s=now - heard.at,
                confidence=decision.confidence if decided else None,
                free_energy=energy.total if energy is not None else None,
            )
        )

    def judged(self, colour: str, outcome: Outcome) -> None:
        """The world said what a decision of a colour was worth."""
        self._seen[colour].add(Observation(correct=outcome.reward > 0))


async def _listen(answers: Subscription, notes: Notes) -> None:
    async for decision in answers:
        notes.answered(decision, time.monotonic())


async def _overhear(events: Subscription, colour: str, notes: Notes) -> None:
    async for event in events:
        if isinstance(event, Stimulus):
            notes.forwarded(colour, event, time.monotonic())
        elif event.reward:
            notes.judged(colour, event)
