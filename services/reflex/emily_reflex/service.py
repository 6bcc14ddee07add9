"""Tier 1 as a mind: every stimulus and outcome becomes a percept and moves the body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace as with_changes
from typing import Any, ClassVar

from emily_contracts import (
    Attention,
    AttentionRequest,
    BodyState,
    Levels,
    Modulation,
    Outcome,
    Percept,
    Stimulus,
    successor_id,
)
from emily_contracts.topic import AnyQuery, AnyTopic
from emily_contracts.topics import (
    ATTEND,
    BODY,
    OUTCOME,
    PERCEPT,
    REFLEX_BARRIER,
    STIMULUS,
    WORKSPACE_BARRIER,
)
from emily_instinct.allostasis import Body, levels, set_points
from emily_instinct.appraisal import Appraisal
from emily_instinct.modulation import modulate
from emily_runtime import Emission, Gauges, Mind, Refused
from msgspec.structs import replace

from emily_reflex import attention, feeling, interoception, vision
from emily_reflex.impression import Impression
from emily_reflex.recognition import load
from emily_reflex.settings import ReflexSettings
from emily_reflex.state import ReflexState, merged, renewed

VISION = "vision"
INTEROCEPTION = "interoception"
LEVELS = "allostatic_neurotransmitter_levels"
SUBJECTS = "emily_reflex_subjects"

type Step = tuple[ReflexState, tuple[Emission, ...]]


class Reflex(Mind[ReflexSettings, ReflexState]):
    """Hears stimuli and outcomes; says percepts and the body; answers how it would gate drives."""

    name = "reflex"
    settings_type = ReflexSettings
    state_type = ReflexState
    state_version = 1
    hears: ClassVar[tuple[AnyTopic, ...]] = (STIMULUS, OUTCOME)
    barrier = REFLEX_BARRIER
    passes_barrier = WORKSPACE_BARRIER
    gauges: ClassVar[Mapping[str, tuple[str, str]]] = {
        LEVELS: ("neurotransmitter", "Level of the body's neuromodulator, in [0, 1]"),
        SUBJECTS: ("sense", "Subjects that are remembered"),
    }

    def __init__(self, settings: ReflexSettings) -> None:
        super().__init__(settings)
        self._memory = load(settings.model)

    def initial(self) -> ReflexState:
        """A rested body that has met nobody."""
        return ReflexState()

    def step(self, state: ReflexState, event: Stimulus | Outcome) -> Step:
        """The percept of a stimulus, or of what an outcome feels like; then the body.

        Raises:
            Refused: The modality is unknown, or a signal does not fit it.
        """
        if event.modality not in (VISION, INTEROCEPTION):
            raise Refused(f"modality: {event.modality!r} is not sensed; send {VISION} or {INTEROCEPTION}")
        counted = replace(state, events=state.events + 1)
        if isinstance(event, Outcome):
            return self._rewarded(counted, event)
        return self._perceived(counted, event)

    def merged(self, own: ReflexState, given: ReflexState, moves: Callable[[str], bool]) -> ReflexState:
        """The glimpses and habits of the subjects that move; the body and what is expected of the elder."""
        return merged(own, given, moves)

    def answers(self) -> Mapping[AnyQuery, Callable[[ReflexState, Any], Any]]:
        """How the gate would treat drives."""
        return {ATTEND: _attend}

    def observe(self, state: ReflexState) -> Gauges:
        """The body's levels and how many subjects are remembered."""
        subjects = {VISION: float(len(state.glimpses)), INTEROCEPTION: float(len(state.habits))}
        return {LEVELS: vars(levels(state.body)), SUBJECTS: subjects}

    def _perceived(self, state: ReflexState, stimulus: Stimulus) -> Step:
        impression, state = self._sensed(state, stimulus)
        state = self._moved(state, stimulus, feeling.of_stimulus(stimulus, impression))
        body = _body(stimulus, state.body)
        at = stimulus.at.timestamp()
        oscillator = attention.turn_to(stimulus, state.oscillator, at)
        gated = attention.gate(stimulus, oscillator, at)
        percept = Percept(
            id=successor_id(stimulus.id, "percept"),
            at=stimulus.at,
            stimulus_id=stimulus.stimulus_id,
            causation_id=stimulus.id,
            modality=stimulus.modality,
            subject=stimulus.subject,
            episode=stimulus.episode,
            modulation=body.modulation,
            signals=gated if self.settings.alpha else attention.ungated(stimulus),
            label=impression.label,
            margin=impression.margin,
            similarity=impression.similarity,
            novelty=1 - impression.similarity,
            reflex=self._reflex(stimulus, state.body),
            text=stimulus.text,
            flags=stimulus.flags,
        )
        felt = replace(state, oscillator=oscillator)
        return felt, (Emission(PERCEPT, percept), Emission(BODY, body))

    def _sensed(self, state: ReflexState, stimulus: Stimulus) -> tuple[Impression, ReflexState]:
        subject = stimulus.subject
        if stimulus.modality == INTEROCEPTION:
            felt, habit = interoception.feel(stimulus, state.habits.get(subject), state.events)
            return felt, replace(state, habits=renewed(state.habits, subject, habit))
        glimpse = vision.look(stimulus, state.glimpses.get(subject), state.events)
        seen, novelty = vision.recognise(glimpse, self._memory, state.novelty)
        return seen, replace(state, novelty=novelty, glimpses=renewed(state.glimpses, subject, glimpse))

    def _rewarded(self, state: ReflexState, outcome: Outcome) -> Step:
        reward, error = state.reward.learn(outcome.modality, outcome.reward, None)
        appraisal = feeling.of_reward(error, expected=reward.value(outcome.modality))
        state = self._moved(replace(state, reward=reward), outcome, appraisal)
        body = _body(outcome, state.body, error)
        percept = Percept(
            id=successor_id(outcome.id, "percept"),
            at=outcome.at,
            stimulus_id=outcome.stimulus_id,
            causation_id=outcome.id,
            modality=outcome.modality,
            subject=outcome.subject,
            episode=outcome.episode,
            modulation=body.modulation,
            outcome=outcome,
            reward_prediction_error=error,
        )
        return state, (Emission(PERCEPT, percept), Emission(BODY, body))

    def _moved(self, state: ReflexState, event: Stimulus | Outcome, appraisal: Appraisal) -> ReflexState:
        """The state after the body felt an event; a frozen body feels nothing, but its time passes."""
        appraisal = appraisal if self.settings.allostasis else Appraisal()
        threats = state.threats
        if appraisal.threat is not None:
            threats = threats | {event.modality: appraisal.threat}
        body = feeling.feel(state.body, event.at.timestamp(), appraisal, threats.values())
        return replace(state, threats=threats, body=body)

    def _reflex(self, stimulus: Stimulus, body: Body) -> str | None:
        startled = stimulus.modality == INTEROCEPTION and feeling.startled(body, self.settings.startle)
        return "alert" if startled else None


def _attend(state: ReflexState, request: AttentionRequest) -> Attention:
    oscillator, at = state.oscillator, state.body.at
    if request.phase is not None:
        oscillator = with_changes(oscillator, origin=at, phase_at_origin=request.phase)
    gated = oscillator.gate(request.drives, at)
    return Attention(
        gated=tuple(gated.gated.tolist()),
        emitted=tuple(gated.emitted.tolist()),
        latency_ms=tuple((1000 * gated.latency).tolist()),
        phase=gated.phase,
        frequency=oscillator.frequency,
    )


def _body(event: Stimulus | Outcome, body: Body, error: float = 0.0) -> BodyState:
    now, expected = levels(body), set_points(body.at)
    return BodyState(
        id=successor_id(event.id, "body"),
        at=event.at,
        stimulus_id=event.stimulus_id,
        causation_id=event.id,
        modality=event.modality,
        subject=event.subject,
        levels=Levels(**vars(now)),
        set_points=Levels(**vars(expected)),
        modulation=Modulation(**vars(modulate(now, expected))),
        allostatic_load=body.load,
        reward_prediction_error=error,
    )
