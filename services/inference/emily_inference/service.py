"""The inference service: hears broadcasts, says decisions, learns from outcomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import ClassVar

import msgspec
from emily_contracts import (
    Broadcast,
    Decision,
    Hypotheses,
    HypothesesRequest,
    Outcome,
    Provenance,
    Recall,
    StoreRequest,
)
from emily_contracts.topic import AnyQuery, AnyTopic
from emily_contracts.topics import BROADCAST, DECISION, EXPERIENCE, HYPOTHESISE
from emily_runtime import Emission, Gauges, Mind, Question, Refused
from msgspec.structs import replace

from emily_inference import experience, interoception, recollection
from emily_inference.interoception import Feeling
from emily_inference.settings import InferenceSettings
from emily_inference.thought import Thought, decision
from emily_inference.vision.hypothesising import sampled
from emily_inference.vision.knowledge import Knowledge, innate
from emily_inference.vision.model import load
from emily_inference.vision.sight import Gaze, Sight, begun

SENSES = ("vision", "interoception")


class InferenceState(msgspec.Struct, frozen=True, kw_only=True):
    """What inference remembers.

    Attributes:
        events: Heard so far.
        vision: What is known about pictures.
        gazes: Episode of vision by subject.
        feelings: Expected condition by host.
        answered: Newest decisions by stimulus id.
    """

    vision: Knowledge
    events: int = 0
    gazes: dict[str, Gaze] = {}
    feelings: dict[str, Feeling] = {}
    answered: dict[str, Decision] = {}


class Inference(Mind[InferenceSettings, InferenceState]):
    """Hears broadcasts; says a decision for each that is no outcome, and what is worth a memory."""

    name = "inference"
    settings_type = InferenceSettings
    state_type = InferenceState
    state_version = 1
    hears: ClassVar[tuple[AnyTopic, ...]] = (BROADCAST,)
    gauges: ClassVar[Mapping[str, tuple[str, str]]] = {
        "emily_inference_episodes_learned": ("sense", "Episodes whose outcome taught something"),
        "emily_inference_hypotheses_weighed": ("sense", "Structures under which the world is seen"),
        "emily_inference_subjects": ("sense", "Subjects that are remembered"),
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

    def step(self, state: InferenceState, event: Broadcast) -> tuple[InferenceState, tuple[Emission, ...]]:
        """A decision, or what was learned from an outcome; with either, what is worth a memory.

        A stimulus that was answered before gets the same answer and changes nothing.

        Raises:
            Refused: The modality is unknown, or a signal does not fit it.
        """
        if event.modality not in SENSES:
            raise Refused(f"modality: {event.modality!r} is not understood; send {' or '.join(SENSES)}")
        answered = state.answered.get(str(event.stimulus_id))
        if event.outcome is not None:
            lived = None if answered is None else experience.judged(answered, event, event.outcome)
            return self._learned(state, event, event.outcome), _worth_keeping(lived)
        if answered is not None:
            return state, (Emission(DECISION, answered),)
        state, thought = self._thought(replace(state, events=state.events + 1), event)
        answer = decision(thought, event, self._provenance)
        answers = state.answered | {str(event.stimulus_id): answer}
        if len(answers) > self.settings.answers:
            del answers[min(answers)]
        said = (Emission(DECISION, answer), *_worth_keeping(experience.told(answer, event)))
        return replace(state, answered=answers), said

    def wonders(self, state: InferenceState, event: Broadcast) -> Question | None:
        """Before the first decision of an episode of vision: what similar moments turned out to be."""
        fresh = str(event.stimulus_id) not in state.answered and event.outcome is None
        if not self.settings.recall or event.modality != "vision" or not fresh:
            return None
        gaze = state.gazes.get(event.subject)
        return None if gaze is not None and gaze.episode == event.episode else recollection.question(event)

    def told(self, state: InferenceState, event: Broadcast, answer: Recall | None) -> InferenceState:
        """The state with the episode begun and what memory told of it."""
        recalled = recollection.recollections(answer)
        gaze = begun(event.episode, state.events + 1, recalled)
        return replace(state, gazes=self._remembered(state.gazes, event.subject, gaze))

    def answers(self) -> Mapping[AnyQuery, Callable[[InferenceState, HypothesesRequest], Hypotheses]]:
        """A sample of hypotheses about the world that is seen."""
        return {HYPOTHESISE: _hypothesise}

    def observe(self, state: InferenceState) -> Gauges:
        """What was learned, and how many are remembered."""
        return {
            "emily_inference_episodes_learned": {"vision": float(state.vision.episodes)},
            "emily_inference_hypotheses_weighed": {"vision": float(len(state.vision.hypotheses))},
            "emily_inference_subjects": {
                "vision": float(len(state.gazes)),
                "interoception": float(len(state.feelings)),
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

    def _remembered[Trace: Gaze | Feeling](
        self, traces: dict[str, Trace], subject: str, trace: Trace
    ) -> dict[str, Trace]:
        """The traces with one renewed; beyond the bound the least recently touched is forgotten."""
        renewed = traces | {subject: trace}
        if len(renewed) > self.settings.subjects:
            del renewed[min(renewed, key=lambda old: renewed[old].touched)]
        return renewed


def _worth_keeping(lived: StoreRequest | None) -> tuple[Emission, ...]:
    return () if lived is None else (Emission(EXPERIENCE, lived),)


def _hypothesise(state: InferenceState, request: HypothesesRequest) -> Hypotheses:
    if request.modality != "vision":
        raise Refused(f"modality: {request.modality!r} has no hypotheses; ask about vision")
    return sampled(state.vision.sampler, state.vision.evidence, request)
