"""What a step of a world gives: its next state and the messages to publish, in order."""

from __future__ import annotations

from collections.abc import Iterable

from emily_bus import Bus
from emily_bus.trace import traceparent
from emily_contracts import Act, Action, Decision, Stimulus, successor_id
from emily_contracts.topics import ACTION
from emily_runtime.mind import Emission

type Step[State] = tuple[State, tuple[Emission, ...]]


def carried_out(decision: Decision, act: Act, detail: str, *, done: bool = True) -> Emission:
    """The action that tells what became of a decision: what was done, or why not."""
    action = Action(
        id=successor_id(decision.id, "action"),
        at=decision.at,
        stimulus_id=decision.stimulus_id,
        causation_id=decision.id,
        modality=decision.modality,
        subject=decision.subject,
        episode=decision.episode,
        decision_id=decision.id,
        act=act,
        done=done,
        detail=detail,
    )
    return Emission(ACTION, action)


async def say(bus: Bus, emissions: Iterable[Emission]) -> None:
    """Publish in order; a stimulus begins a trace of its own, the rest belongs to the decision's."""
    for topic, message in emissions:
        if isinstance(message, Stimulus):
            traceparent.set(None)
        await bus.publish(topic, message)
