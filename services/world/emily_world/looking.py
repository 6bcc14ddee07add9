"""Living in the digits world: its steps over the bus, several subjects side by side."""

from __future__ import annotations

from functools import reduce
from operator import add

import anyio
from emily_bus import Bus, Subscription
from emily_contracts.topics import OUTBOUND_DECISION

from emily_world.digits import DigitsState, DigitsWorld
from emily_world.emission import Step, say
from emily_world.score import Score
from emily_world.settings import WorldSettings


class Looking:
    """One run of the digits world; `score` can be read at any time."""

    def __init__(self, world: DigitsWorld, settings: WorldSettings, bus: Bus) -> None:
        self._world = world
        self._subjects = min(settings.subjects, settings.episodes)
        self._timeout_s = settings.answer_timeout_s
        self._bus = bus
        self._states: dict[str, DigitsState] = {}
        self._deadlines: dict[str, float] = {}

    @property
    def score(self) -> Score:
        """Of all subjects so far."""
        return reduce(add, (state.score for state in self._states.values()), Score())

    async def run(self, stopping: anyio.Event) -> None:
        """Show every picture and hear every answer, or end early when told to stop."""
        async with (
            self._bus.subscribe(OUTBOUND_DECISION) as decisions,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(_close_when_set, stopping, decisions)
            tasks.start_soon(self._notice_silence, decisions)
            for subject in range(self._subjects):
                await self._go_on(self._world.begin(subject), decisions)
            async for decision in decisions:
                state = self._states.get(decision.subject)
                if state is not None:
                    await self._go_on(self._world.step(state, decision), decisions)
            tasks.cancel_scope.cancel()

    async def _go_on(self, step: Step[DigitsState], decisions: Subscription) -> None:
        state, emissions = step
        self._states[state.subject] = state
        if state.pending is None:
            self._deadlines.pop(state.subject, None)
        elif emissions:
            self._deadlines[state.subject] = anyio.current_time() + self._timeout_s
        await say(self._bus, emissions)
        if len(self._states) == self._subjects and not self._deadlines:
            decisions.close()

    async def _notice_silence(self, decisions: Subscription) -> None:
        while True:
            await anyio.sleep(self._timeout_s / 10)
            now = anyio.current_time()
            for subject in [name for name, deadline in self._deadlines.items() if deadline <= now]:
                await self._go_on(self._world.unanswered(self._states[subject]), decisions)


async def _close_when_set(stopping: anyio.Event, decisions: Subscription) -> None:
    await stopping.wait()
    decisions.close()
