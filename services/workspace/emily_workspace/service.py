"""Tier 2 as a mind: of what reflex lets through, what wins becomes conscious and is broadcast."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from emily_cognition.workspace import Dynamics
from emily_contracts import Broadcast, Conscious, Percept, Suppressed, successor_id
from emily_contracts.topic import AnyTopic
from emily_contracts.topics import BROADCAST, INFERENCE_BARRIER, PERCEPT, WORKSPACE_BARRIER
from emily_runtime import Emission, Gauges, Mind

from emily_workspace.contest import conscious, contest
from emily_workspace.settings import WorkspaceSettings
from emily_workspace.state import Streams

REMEMBERED = "emily_workspace_remembered"


class Workspace(Mind[WorkspaceSettings, Streams]):
    """Hears percepts; says one broadcast for each."""

    name = "workspace"
    settings_type = WorkspaceSettings
    state_type = Streams
    state_version = 1
    hears: ClassVar[tuple[AnyTopic, ...]] = (PERCEPT,)
    barrier = WORKSPACE_BARRIER
    passes_barrier = INFERENCE_BARRIER
    gauges: ClassVar[Mapping[str, tuple[str, str]]] = {
        REMEMBERED: ("what", "Subjects that are remembered, and coalitions that are held for them"),
    }

    def __init__(self, settings: WorkspaceSettings) -> None:
        super().__init__(settings)
        self._dynamics = Dynamics(capacity=settings.capacity)

    def initial(self) -> Streams:
        """Nothing conscious and nobody known."""
        return Streams()

    def step(self, state: Streams, event: Percept) -> tuple[Streams, tuple[Emission, ...]]:
        """The broadcast of a percept: what ignited, what did not and why; an outcome is passed on."""
        competition = state.competition(event.subject)
        contents: tuple[Conscious, ...] = ()
        suppressed: tuple[Suppressed, ...] = ()
        if self.settings.workspace:
            competition, contents, suppressed = contest(competition, event, self._dynamics)
        else:
            contents = tuple(conscious(signal, min(1.0, signal.salience)) for signal in event.signals)
        broadcast = Broadcast(
            id=successor_id(event.id, "broadcast"),
            at=event.at,
            stimulus_id=event.stimulus_id,
            causation_id=event.id,
            modality=event.modality,
            subject=event.subject,
            episode=event.episode,
            modulation=event.modulation,
            contents=contents,
            suppressed=suppressed,
            label=event.label,
            novelty=event.novelty,
            reflex=event.reflex,
            text=event.text,
            outcome=event.outcome,
            reward_prediction_error=event.reward_prediction_error,
            flags=event.flags,
        )
        return state.after(event.subject, competition), (Emission(BROADCAST, broadcast),)

    def merged(self, own: Streams, given: Streams, moves: Callable[[str], bool]) -> Streams:
        """The streams of the subjects that move; those of the others stay."""
        return own.merged(given, moves)

    def observe(self, state: Streams) -> Gauges:
        """How much is remembered."""
        held = sum(len(stream.competition.held) for stream in state.by_subject.values())
        return {REMEMBERED: {"subjects": float(len(state.by_subject)), "coalitions": float(held)}}
