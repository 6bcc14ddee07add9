"""The inference service: hears broadcasts, says decisions, learns from outcomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, ClassVar

from emily_contracts import (
    Broadcast,
    Hypotheses,
    HypothesesRequest,
    Lived,
    LivedRequest,
    Outcome,
    Provenance,
    Recall,
    Role,
    Standing,
    StandingRequest,
    StoreRequest,
)
from emily_contracts.topic import AnyQuery, AnyTopic
from emily_contracts.topics import (
    BROADCAST,
    CURRENT_STANDING,
    DECISION,
    EXPERIENCE,
    HYPOTHESISE,
    INFERENCE_BARRIER,
    LIVED,
    STANDING,
)
from emily_runtime import Emission, Gauges, Mind, Question, Refused
from emily_runtime.subjects import Trace
from msgspec.structs import replace

from emily_inference import experience, holding, interoception, recollection
from emily_inference.settings import InferenceSettings
from emily_inference.state import InferenceState, merged
from emily_inference.thought import Thought, decision
from emily_inference.vision.hypothesising import sampled
from emily_inference.vision.knowledge import innate
from emily_inference.vision.model import load
from emily_inference.vision.sight import Sight, begun

SENSES = ("vision", "interoception")
STANDING_TIMEOUT_S = 1.0


class Inference(Mind[InferenceSettings, InferenceState]):
    """Hears broadcasts; says a decision for each that is no outcome, and what is worth a memory.

    That it holds until memory has it, unless it is a shadow.
    """

    name = "inference"
    settings_type = InferenceSettings
    state_type = InferenceState
    state_version = 1
    hears: ClassVar[tuple[AnyTopic, ...]] = (BROADCAST, STANDING)
    asks_first = Question(CURRENT_STANDING, StandingRequest(), STANDING_TIMEOUT_S)
    barrier = INFERENCE_BARRIER
    gauges: ClassVar[Mapping[str, tuple[str, str]]] = {
        "emily_inference_episodes_learned": ("sense", "Episodes whose outcome taught something"),
        "emily_inference_hypotheses_weighed": ("sense", "Structures under which the world is seen"),
        "emily_inference_subjects": ("sense", "Subjects that are remembered"),
        "emily_inference_experiences": ("what", "Experiences held until memory has them, and given up"),
    }

    def __init__(self, settings: InferenceSettings) -> None:
        super().__init__(settings)
        self._model = load(settings.model)
        self._sight = Sight(self._model, seed=settings.seed, hypothesise=settings.hypotheses)
        self._provenance = Provenance(
            code_version=version("emily-inference"), model_hash=self._model.hash, seed=settings.seed
        )

    def initial(self) -> InferenceState:
        """What the trained model knows, and nobody met yet."""
        return InferenceState(vision=innate(self._model, self.settings.seed))

    def step(
        self, state: InferenceState, event: Broadcast | Standing
    ) -> tuple[InferenceState, tuple[Emission, ...]]:
        """A decision, or what was learned from an outcome; with either, what is worth a memory.

        A stimulus that was answered before gets the same answer and changes nothing.

        Raises:
            Refused: The modality is unknown, or a signal does not fit it.
        """
        if isinstance(event, Standing):
            return replace(state, shadow=event.role is Role.SHADOW), ()
        if event.modality not in SENSES:
            raise Refused(f"modality: {event.modality!r} is not understood; send {' or '.join(SENSES)}")
        answered = state.answered.get(str(event.stimulus_id))
        if event.outcome is not None:
            lived = None if answered is None else experience.judged(answered, event, event.outcome)
            return self._lived(self._learned(state, event, event.outcome), lived)
        if answered is not None:
            return state, (Emission(DECISION, answered),)
        state, thought = self._thought(replace(state, events=state.events + 1), event)
        answer = decision(
            thought, event, replace(self._provenance, cold_start=state.cold_start, flags=event.flags)
        )
        answers = state.answered | {str(event.stimulus_id): answer}
        if len(answers) > self.settings.answers:
            del answers[min(answers)]
        state, kept = self._lived(replace(state, answered=answers), experience.told(answer, event))
        return state, (Emission(DECISION, answer), *kept)

    def wonders(self, state: InferenceState, event: Broadcast | Standing) -> Question | None:
        """Before the first decision of an episode of vision: what similar moments turned out to be."""
        if isinstance(event, Standing):
            return None
        fresh = str(event.stimulus_id) not in state.answered and event.outcome is None
        if not self.settings.recall or event.modality != "vision" or not fresh:
            return None
        gaze = state.gazes.get(event.subject)
        if gaze is not None and gaze.episode == event.episode:
            return None
        return recollection.question(event, timeout_s=self.settings.recall_timeout_s)

    def told(self, state: InferenceState, event: Broadcast, answer: Recall | None) -> InferenceState:
        """The state with the episode begun and what memory told of it."""
        recalled = recollection.recollections(answer)
        gaze = begun(event, state.events + 1, recalled)
        return replace(state, gazes=self._remembered(state.gazes, event.subject, gaze))

    def merged(
        self, own: InferenceState, given: InferenceState, moves: Callable[[str], bool]
    ) -> InferenceState:
        """The episodes, feelings and answers of the subjects that move; the knowledge of who learned more."""
        return merged(
            own,
            given,
            moves,
            subjects=self.settings.subjects,
            answers=self.settings.answers,
            experiences=self.settings.experiences,
        )

    def succeeding(self, own: InferenceState, given: InferenceState) -> InferenceState:
        """What the other mind remembers; whether it is a shadow is of this one."""
        return replace(given, shadow=own.shadow)

    def started_cold(self, state: InferenceState, why: str) -> InferenceState:
        """The state whose decisions say so."""
        return replace(state, cold_start=why)

    def answers(self) -> Mapping[AnyQuery, Callable[[InferenceState, Any], Any]]:
        """A sample of hypotheses about the world that is seen."""
        return {HYPOTHESISE: _hypothesise}

    def exchanges(self) -> Mapping[AnyQuery, Callable[[InferenceState, Any], tuple[InferenceState, Any]]]:
        """What was lived, against what memory has of it."""
        return {LIVED: _told}

    def observe(self, state: InferenceState) -> Gauges:
        """What was learned, and how many are remembered."""
        return {
            "emily_inference_episodes_learned": {"vision": float(state.vision.episodes)},
            "emily_inference_hypotheses_weighed": {"vision": float(len(state.vision.hypotheses))},
            "emily_inference_subjects": {
                "vision": float(len(state.gazes)),
                "interoception": float(len(state.feelings)),
            },
            "emily_inference_experiences": {
                "held": float(len(state.held.experiences)),
                "given_up": float(state.held.given_up),
            },
        }

    def _thought(self, state: InferenceState, event: Broadcast) -> tuple[InferenceState, Thought]:
        if event.modality == "interoception":
            felt = state.feelings.get(event.subject)
            feeling, thought = interoception.think(felt, event, seed=self.settings.seed, event=state.events)
            return replace(state, feelings=self._remembered(state.feelings, event.subject, feeling)), thought
        gaze = state.gazes.get(event.subject)
        gaze, thought = self._sight.think(state.vision, gaze, event, event=state.events)
        return replace(state, gazes=self._remembered(state.gazes, event.subject, gaze)), thought

    def _learned(self, state: InferenceState, event: Broadcast, outcome: Outcome) -> InferenceState:
        """The state after an outcome; one of an episode that is over or forgotten teaches nothing."""
        gaze = state.gazes.get(event.subject)
        if event.modality != "vision" or gaze is None or gaze.episode != event.episode:
            return state
        vision = self._sight.learn(state.vision, gaze, outcome, event.reward_prediction_error)
        gazes = {subject: other for subject, other in state.gazes.items() if subject != event.subject}
        return replace(state, vision=vision, gazes=gazes)

    def _lived(
        self, state: InferenceState, lived: StoreRequest | None
    ) -> tuple[InferenceState, tuple[Emission, ...]]:
        """The state with an experience, which is also said, if there was one."""
        if lived is None:
            return state, ()
        if not state.shadow:
            held = holding.with_one(state.held, lived, most=self.settings.experiences)
            state = replace(state, held=held)
        return state, (Emission(EXPERIENCE, lived),)

    def _remembered[T: Trace](self, traces: dict[str, T], subject: str, trace: T) -> dict[str, T]:
        """The traces with one renewed; beyond the bound the least recently touched is forgotten."""
        renewed = traces | {subject: trace}
        if len(renewed) > self.settings.subjects:
            del renewed[min(renewed, key=lambda old: renewed[old].touched)]
        return renewed


def _told(state: InferenceState, request: LivedRequest) -> tuple[InferenceState, Lived]:
    held, lived = holding.told(state.held, request)
    return replace(state, held=held), lived


def _hypothesise(state: InferenceState, request: HypothesesRequest) -> Hypotheses:
    if request.modality != "vision":
        raise Refused(f"modality: {request.modality!r} has no hypotheses; ask about vision")
    return sampled(state.vision.sampler, state.vision.evidence, request)
