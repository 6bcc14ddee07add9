from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from emily_contracts import Broadcast, Decision, HypothesesRequest, Status
from emily_contracts.topics import HYPOTHESISE
from emily_inference.service import Inference
from emily_inference.settings import InferenceSettings
from emily_inference.state import InferenceState
from emily_inference.vision.model import VisionModel
from emily_runtime import Refused
from emily_runtime.checkpoint import decode_state, encode_state
from numpy.typing import NDArray

type Figures = Callable[[int, int], tuple[NDArray[np.float64], NDArray[np.int64]]]
type Show = Callable[..., Broadcast]


def decide(mind: Inference, state: InferenceState, event: Broadcast) -> tuple[InferenceState, Decision]:
    state, ((_, message), *_) = mind.step(state, event)
    assert isinstance(message, Decision)
    return state, message


def live(
    mind: Inference, state: InferenceState, events: list[Broadcast]
) -> tuple[InferenceState, list[Decision]]:
    decisions = []
    for event in events:
        state, emissions = mind.step(state, event)
        decisions += [message for _, message in emissions if isinstance(message, Decision)]
    return state, decisions


def episodes(
    mind: Inference, show: Show, tell: Show, figures: Figures, count: int
) -> Iterator[tuple[InferenceState, Decision, Broadcast, str]]:
    """Pictures looked at until they are reported; the state, decision, event and truth at each moment."""
    pictures, labels = figures(5, 2)
    state = mind.initial()
    for index in np.random.default_rng(0).permutation(len(labels))[:count]:
        place, name = 27, f"picture-{index}"
        while True:
            event = show(("fovea", place, (float(pictures[index, place]),)), episode=name)
            state, answer = decide(mind, state, event)
            yield state, answer, event, str(labels[index])
            if answer.act.place is None:
                break
            place = answer.act.place
        state, _ = mind.step(state, tell(str(labels[index]), episode=name))


def test_a_mind_looks_until_it_is_sure_and_reports_what_is_there(
    inference: Inference, show: Show, tell: Show, figures: Figures
) -> None:
    lived = list(episodes(inference, show, tell, figures, 10))
    reports = [(answer.act.label, truth) for _, answer, _, truth in lived if answer.act.kind == "report"]
    assert len(reports) == 10
    assert all(said == truth for said, truth in reports)
    assert len(lived) / 10 < 12


def test_a_decision_says_what_it_rests_on(inference: Inference, model: VisionModel, show: Show) -> None:
    event = show(("fovea", 27, (12.0,)), ("flash-0", 3, (2.0,)))
    _, answer = decide(inference, inference.initial(), event)
    assert (answer.stimulus_id, answer.causation_id, answer.at) == (event.stimulus_id, event.id, event.at)
    assert answer.status is Status.DECIDED
    assert answer.conscious == ("fovea", "flash-0")
    assert answer.policies_weighed == 10 + 62
    assert answer.hypotheses == ("shift (+0, +0), noise 0",)
    assert "row" in answer.reason
    assert answer.confidence == max(answer.posterior["digit"])
    for name, beliefs in answer.posterior.items():
        assert sum(beliefs) == pytest.approx(1.0), name
    assert answer.provenance is not None
    assert answer.provenance.model_hash == model.hash
    assert answer.expected_free_energy is not None


def test_a_whole_picture_is_reported_at_once(inference: Inference, show: Show, figures: Figures) -> None:
    pictures, labels = figures(6, 1)
    for picture, label in zip(pictures, labels, strict=True):
        event = show(("fovea", None, tuple(picture.tolist())), episode=f"whole-{label}")
        _, answer = decide(inference, inference.initial(), event)
        assert (answer.act.kind, answer.act.label) == ("report", str(label))
        assert answer.policies_weighed == 10


def test_when_nothing_becomes_conscious_the_same_look_is_asked_for_again(
    inference: Inference, show: Show
) -> None:
    state, first = decide(inference, inference.initial(), show(("fovea", 27, (12.0,))))
    state, again = decide(inference, state, show())
    assert again.status is Status.REFLEX
    assert again.act == first.act
    assert again.expected_free_energy is None
    _, begun = decide(inference, inference.initial(), show())
    assert begun.act.kind == "look"


def test_a_new_episode_begins_without_the_last_ones_beliefs(inference: Inference, show: Show) -> None:
    state, _ = decide(inference, inference.initial(), show(("fovea", 27, (12.0,))))
    _, after = decide(inference, state, show(("fovea", 3, (0.0,)), episode="second"))
    _, fresh = decide(inference, inference.initial(), show(("fovea", 3, (0.0,)), episode="second"))
    assert after.posterior == fresh.posterior


def test_of_two_signals_at_one_place_the_stronger_is_believed(inference: Inference, show: Show) -> None:
    _, both = decide(inference, inference.initial(), show(("fovea", 27, (16.0,)), ("flash-0", 27, (0.0,))))
    _, one = decide(inference, inference.initial(), show(("fovea", 27, (16.0,))))
    assert both.posterior == one.posterior


def test_a_stimulus_delivered_twice_gets_the_same_answer_and_changes_nothing(
    inference: Inference, show: Show
) -> None:
    event = show(("fovea", 27, (12.0,)))
    once, answer = decide(inference, inference.initial(), event)
    later, _ = decide(inference, once, show(("fovea", 30, (2.0,))))
    twice, repeated = decide(inference, later, event)
    assert repeated == answer
    assert twice is later


def test_the_same_stream_gives_the_same_decisions_and_states_bit_for_bit(
    model_file: Path, inference: Inference, show: Show, tell: Show, figures: Figures
) -> None:
    events = [event for _, _, event, _ in episodes(inference, show, tell, figures, 4)]
    events.insert(9, tell("3", episode=events[8].episode))
    other = Inference(InferenceSettings(model=model_file))
    state_a, decisions_a = live(inference, inference.initial(), events)
    state_b, decisions_b = live(other, other.initial(), events)
    assert decisions_a == decisions_b
    assert encode(state_a) == encode(state_b)


def encode(state: InferenceState) -> bytes:
    return encode_state(state, name="inference", version=1)


def test_a_restored_state_goes_on_as_if_nothing_had_happened(
    model_file: Path, inference: Inference, show: Show, tell: Show, figures: Figures
) -> None:
    events = [event for _, _, event, _ in episodes(inference, show, tell, figures, 3)]
    events.insert(9, tell("3", episode=events[8].episode))
    middle, _ = live(inference, inference.initial(), events[:12])
    restored = decode_state(encode(middle), InferenceState, name="inference", version=1)
    other = Inference(InferenceSettings(model=model_file))
    state_a, decisions_a = live(inference, middle, events[12:])
    state_b, decisions_b = live(other, restored, events[12:])
    assert decisions_a == decisions_b
    assert encode(state_a) == encode(state_b)


def test_an_outcome_teaches_once_and_says_nothing(inference: Inference, show: Show, tell: Show) -> None:
    state, _ = decide(inference, inference.initial(), show(("fovea", 27, (12.0,))))
    outcome = tell("4")
    taught, said = inference.step(state, outcome)
    assert said == ()
    assert taught.vision.episodes == 1
    assert taught.vision.counts.sum() > state.vision.counts.sum()
    again, _ = inference.step(taught, outcome)
    assert again is taught


def test_an_outcome_without_a_truth_or_of_another_episode_teaches_nothing(
    inference: Inference, show: Show, tell: Show
) -> None:
    state, _ = decide(inference, inference.initial(), show(("fovea", 27, (12.0,))))
    for outcome in (tell(None), tell("4", episode="other"), tell("4", subject="bob")):
        after, _ = inference.step(state, outcome)
        assert after.vision is state.vision


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (("fovea", 64, (1.0,)), r"contents\.fovea\.place"),
        (("fovea", 3, (1.0, 2.0)), r"contents\.fovea\.values"),
        (("fovea", None, (1.0,) * 63), r"contents\.fovea\.values"),
    ],
)
def test_a_signal_that_is_no_reading_is_refused_by_name(
    inference: Inference, show: Show, content: tuple[str, int | None, tuple[float, ...]], field: str
) -> None:
    with pytest.raises(Refused, match=field):
        inference.step(inference.initial(), show(content))


def test_an_unknown_modality_is_refused_naming_the_known_ones(inference: Inference, show: Show) -> None:
    with pytest.raises(Refused, match=r"modality: .smell. .* vision or interoception"):
        inference.step(inference.initial(), show(("fovea", 3, (1.0,)), modality="smell"))


def test_a_truth_that_is_no_digit_is_refused(inference: Inference, show: Show, tell: Show) -> None:
    state, _ = decide(inference, inference.initial(), show(("fovea", 27, (12.0,))))
    with pytest.raises(Refused, match=r"outcome\.label"):
        inference.step(state, tell("ten"))


def test_the_host_is_felt_and_remembered(inference: Inference, show: Show) -> None:
    state = inference.initial()
    for _ in range(3):
        state, answer = decide(
            inference,
            state,
            show(("load", None, (2.0,)), ("memory", None, (0.97,)), modality="interoception", subject="host"),
        )
    assert answer.act.kind == "alert"
    assert set(state.feelings) == {"host"}


def test_memory_is_bounded_and_the_least_recent_is_forgotten(model_file: Path, show: Show) -> None:
    mind = Inference(InferenceSettings(model=model_file, subjects=3, answers=4))
    state = mind.initial()
    for subject in ("ann", "bob", "cid", "ann", "dan"):
        state, _ = decide(mind, state, show(("fovea", 27, (12.0,)), subject=subject))
    assert set(state.gazes) == {"ann", "cid", "dan"}
    assert len(state.answered) == 4


def test_hypotheses_are_sampled_from_the_state_without_changing_it(inference: Inference) -> None:
    hypothesise = inference.answers()[HYPOTHESISE]
    state = inference.initial()
    sample = hypothesise(state, HypothesesRequest(count=200, seed=3))
    assert sample == hypothesise(state, HypothesesRequest(count=200, seed=3))
    assert sum(found.drawn for found in sample.hypotheses) == 200
    assert sample.unique == len(sample.hypotheses)
    assert sample.hypotheses[0].description == "shift (+0, +0), noise 0"
    assert sample.total_variation < 0.1
    assert not sample.collapsed


def test_a_hotter_sample_is_more_diverse(inference: Inference) -> None:
    hypothesise = inference.answers()[HYPOTHESISE]
    cold, hot = (
        hypothesise(inference.initial(), HypothesesRequest(count=500, temperature=temperature))
        for temperature in (0.5, 4.0)
    )
    assert hot.unique > cold.unique


def test_hypotheses_about_another_sense_are_refused(inference: Inference) -> None:
    with pytest.raises(Refused, match="modality: 'touch'"):
        inference.answers()[HYPOTHESISE](inference.initial(), HypothesesRequest(modality="touch"))


def test_gauges_tell_what_was_learned_and_who_is_remembered(
    inference: Inference, show: Show, tell: Show
) -> None:
    state, _ = decide(inference, inference.initial(), show(("fovea", 27, (12.0,))))
    assert inference.observe(state)["emily_inference_subjects"]["vision"] == 1
    state, _ = inference.step(state, tell("4"))
    assert inference.observe(state)["emily_inference_episodes_learned"] == {"vision": 1.0}
    assert set(inference.observe(state)) == set(inference.gauges)
