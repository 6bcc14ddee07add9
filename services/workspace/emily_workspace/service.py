"""Tier 2 as a mind: of what reflex lets through, what wins becomes conscious and is broadcast."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from emily_contracts import Broadcast, Conscious, Percept, Suppressed, successor_id
from emily_contracts.topic import AnyTopic
from emily_contracts.topics import BROADCAST, PERCEPT
from emily_runtime import Emission, Mind
from msgspec.structs import replace

from emily_workspace.settings import WorkspaceSettings


class WorkspaceMind(msgspec.Struct, frozen=True, kw_only=True):
    """What the workspace remembers."""

    events: int = 0


class Workspace(Mind[WorkspaceSettings, WorkspaceMind]):
    """Hears percepts; says one broadcast for each."""

    name = "workspace"
    settings_type = WorkspaceSettings
    state_type = WorkspaceMind
    state_version = 1
    hears: ClassVar[tuple[AnyTopic, ...]] = (PERCEPT,)

    def initial(self) -> WorkspaceMind:
        return WorkspaceMind()

    def step(self, state: WorkspaceMind, event: Percept) -> tuple[WorkspaceMind, tuple[Emission, ...]]:
        """The broadcast of a percept."""
        ranked = sorted(event.signals, key=lambda signal: -signal.salience)
        contents = tuple(
            Conscious(
                channel=signal.channel,
                values=signal.values,
                place=signal.place,
                activation=min(1.0, signal.salience),
            )
            for index, signal in enumerate(ranked)
            if not self.settings.workspace
            or (index == 0 and signal.salience >= event.modulation.ignition_threshold)
        )
        suppressed = tuple(
            Suppressed(channel=signal.channel, activation=0.0, reason="weaker than what became conscious")
            for signal in ranked[len(contents) :]
        )
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
        )
        return replace(state, events=state.events + 1), (Emission(BROADCAST, broadcast),)
