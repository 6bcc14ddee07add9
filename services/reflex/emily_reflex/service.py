"""Tier 1 as a mind: every stimulus and outcome becomes a percept and a moved body."""

from __future__ import annotations

from typing import ClassVar

from emily_contracts import BodyState, Levels, Modulation, Outcome, Percept, Stimulus, successor_id
from emily_contracts.topic import AnyTopic
from emily_contracts.topics import BODY, OUTCOME, PERCEPT, STIMULUS
from emily_runtime import Emission, Mind, Refused
from msgspec.structs import replace

from emily_reflex.attention import gate, ungated
from emily_reflex.settings import ReflexSettings
from emily_reflex.state import ReflexState

SENSES = ("vision", "interoception")


class Reflex(Mind[ReflexSettings, ReflexState]):
    """Hears stimuli and outcomes; says percepts and the body; answers how it would gate drives."""

    name = "reflex"
    settings_type = ReflexSettings
    state_type = ReflexState
    state_version = 1
    hears: ClassVar[tuple[AnyTopic, ...]] = (STIMULUS, OUTCOME)

    def initial(self) -> ReflexState:
        return ReflexState()

    def step(self, state: ReflexState, event: Stimulus | Outcome) -> tuple[ReflexState, tuple[Emission, ...]]:
        """The percept of a stimulus, or what an outcome feels like."""
        if event.modality not in SENSES:
            raise Refused(f"modality: {event.modality!r} is not sensed; send one of {', '.join(SENSES)}")
        percept = self._feel(event) if isinstance(event, Outcome) else self._perceive(event)
        body = BodyState(
            id=successor_id(event.id, "body"),
            at=event.at,
            stimulus_id=event.stimulus_id,
            causation_id=event.id,
            modality=event.modality,
            subject=event.subject,
            levels=_LEVELS,
            set_points=_LEVELS,
            modulation=Modulation(),
            allostatic_load=0.0,
        )
        moved = replace(state, events=state.events + 1, at=event.at)
        return moved, (Emission(PERCEPT, percept), Emission(BODY, body))

    def _perceive(self, stimulus: Stimulus) -> Percept:
        return Percept(
            id=successor_id(stimulus.id, "percept"),
            at=stimulus.at,
            stimulus_id=stimulus.stimulus_id,
            causation_id=stimulus.id,
            modality=stimulus.modality,
            subject=stimulus.subject,
            episode=stimulus.episode,
            modulation=Modulation(),
            signals=gate(stimulus) if self.settings.alpha else ungated(stimulus),
            text=stimulus.text,
        )

    def _feel(self, outcome: Outcome) -> Percept:
        return Percept(
            id=successor_id(outcome.id, "percept"),
            at=outcome.at,
            stimulus_id=outcome.stimulus_id,
            causation_id=outcome.id,
            modality=outcome.modality,
            subject=outcome.subject,
            episode=outcome.episode,
            modulation=Modulation(),
            outcome=outcome,
        )


_LEVELS = Levels(dopamine=0.5, serotonin=0.5, oxytocin=0.5, cortisol=0.3, norepinephrine=0.3)
