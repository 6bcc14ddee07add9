"""A percept's signals as candidates of the competition, and its verdicts in the words of the broadcast."""

from __future__ import annotations

import hashlib

from emily_cognition.workspace import Candidate, Dynamics, Verdict, WorkspaceState, compete
from emily_contracts import Conscious, GatedSignal, Percept, Suppressed


def contest(
    state: WorkspaceState, percept: Percept, dynamics: Dynamics
) -> tuple[WorkspaceState, tuple[Conscious, ...], tuple[Suppressed, ...]]:
    """The competition after a percept; what became conscious, strongest first; what did not, and why."""
    after, verdicts = compete(
        state,
        [_candidate(signal, percept) for signal in percept.signals],
        at=percept.at.timestamp(),
        threshold=percept.modulation.ignition_threshold,
        arousal=percept.modulation.arousal,
        dynamics=dynamics,
    )
    judged = list(zip(percept.signals, verdicts, strict=True))
    judged.sort(key=lambda pair: -pair[1].activation)
    contents = tuple(conscious(signal, verdict.activation) for signal, verdict in judged if verdict.ignited)
    suppressed = tuple(_suppressed(signal, verdict) for signal, verdict in judged if not verdict.ignited)
    return after, contents, suppressed


def conscious(signal: GatedSignal, activation: float) -> Conscious:
    """A signal as it is broadcast."""
    return Conscious(channel=signal.channel, values=signal.values, place=signal.place, activation=activation)


def _candidate(signal: GatedSignal, percept: Percept) -> Candidate:
    """What has a place competes with what is elsewhere; what has none is of the whole and stands together."""
    reading = repr((percept.episode, signal.place, [round(value, 2) for value in signal.values]))
    return Candidate(
        source=signal.channel,
        salience=signal.salience,
        coalition=percept.modality if signal.place is None else signal.channel,
        content=hashlib.blake2b(reading.encode(), digest_size=8).hexdigest(),
    )


def _suppressed(signal: GatedSignal, verdict: Verdict) -> Suppressed:
    return Suppressed(channel=signal.channel, activation=verdict.activation, reason=verdict.explanation)
