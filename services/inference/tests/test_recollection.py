from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest
from emily_contracts import (
    Broadcast,
    Decision,
    Episode,
    Modulation,
    Recall,
    RecallRequest,
    Recollection,
    uuid7,
)
from emily_contracts.topics import RECALL
from emily_inference.service import Inference
from emily_inference.settings import InferenceSettings
from emily_inference.state import InferenceState
from emily_inference.vision.expecting import CONCENTRATIONS, HAZARD, PRIOR, expectation
from emily_runtime.checkpoint import decode_state, encode_state
from hypothesis import given
from hypothesis import strategies as st

START = datetime(2026, 1, 1, tzinfo=UTC)
LOOK = ("fovea", 27, (8.0,))

type Show = Callable[..., Broadcast]


def recollected(digits: str) -> tuple[Recollection, ...]:
    return tuple(Recollection(id=uuid7(START), truth=digit) for digit in digits)


def answered(digits: str, at: Broadcast) -> Recall:
    episodes = tuple(
        Episode(id=uuid7(START), occurred_at=at.at, content="seen", context={"truth": digit})
        for digit in digits
    )
    return Recall(episodes=episodes)


def decide(mind: Inference, state: InferenceState, event: Broadcast) -> tuple[InferenceState, Decision]:
    state, ((_, message), *_) = mind.step(state, event)
    assert isinstance(message, Decision)
    return state, message


def test_nothing_recalled_expects_nothing() -> None:
    assert expectation(()) is None
    assert expectation(recollected("x")) is None


def test_a_one_sided_past_is_expected_to_go_on() -> None:
    expected = expectation(recollected("38" * 16))
    assert expected is not None
    assert min(expected[3], expected[8]) > 4
    assert expected[[0, 1, 2, 4, 5, 6, 7, 9]].max() < 0.1


def test_an_even_past_changes_little() -> None:
    drawn = np.random.default_rng(0).integers(0, 10, 64)
    expected = expectation(recollected("".join(map(str, drawn))))
    assert expected is not None
    assert 0.5 < expected.min() < expected.max() < 1.6


def test_a_past_that_ended_is_soon_forgotten() -> None:
    lasting, ended = expectation(recollected("38" * 30)), expectation(recollected("38" * 30 + "1411"))
    assert lasting is not None
    assert ended is not None
    assert ended[1] > 2 > 20 * lasting[1]
    assert ended[3] < lasting[3] / 4


def test_it_is_the_exact_average_over_all_ways_a_short_past_may_have_changed() -> None:
    past = [3, 3, 8]
    weights, shares = [], []
    for changes in itertools.product((False, True), repeat=len(past)):
        runs: list[list[int]] = [[]]
        for digit, changed in zip(past, changes, strict=True):
            runs[-1].append(digit)
            if changed:
                runs.append([])
        for concentrations in itertools.product(range(len(PRIOR)), repeat=len(runs)):
            weight = np.prod([HAZARD if changed else 1 - HAZARD for changed in changes])
            for run, concentration in zip(runs, concentrations, strict=True):
                weight *= PRIOR[concentration] * drawn_probability(run, concentration)
            weights.append(weight)
            shares.append([share(runs[-1], concentrations[-1], digit) for digit in range(10)])
    expected = expectation(recollected("338"))
    assert expected is not None
    average = np.array(weights) @ np.array(shares) / np.sum(weights)
    assert expected.tolist() == pytest.approx((10 * average).tolist(), rel=1e-12)


def share(run: list[int], concentration: int, digit: int) -> float:
    """Of a digit after a run, drawn from a Dirichlet that is integrated out."""
    total = CONCENTRATIONS[concentration]
    return 0.1 if np.isinf(total) else float((run.count(digit) + total / 10) / (len(run) + total))


def drawn_probability(run: list[int], concentration: int) -> float:
    return float(np.prod([share(run[:at], concentration, digit) for at, digit in enumerate(run)]))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=64), st.permutations(range(10)))
def test_expectations_are_shares_and_know_no_favourite_digit(digits: list[int], names: list[int]) -> None:
    expected = expectation(recollected("".join(map(str, digits))))
    renamed = expectation(recollected("".join(str(names[digit]) for digit in digits)))
    assert expected is not None
    assert renamed is not None
    assert expected.sum() == pytest.approx(10)
    assert (expected > 0).all()
    np.testing.assert_allclose(renamed[names], expected, rtol=1e-9)


def test_memory_is_asked_before_the_first_decision_of_an_episode_and_not_again(
    inference: Inference, show: Show
) -> None:
    state = inference.initial()
    first = show(LOOK, modulation=Modulation(arousal=0.8))
    question = inference.wonders(state, first)
    assert question is not None
    assert question.query is RECALL
    assert isinstance(question.request, RecallRequest)
    assert question.request.context == {"modality": "vision", "subject": "ann"}
    assert (question.request.arousal, question.request.stimulus_id) == (0.8, first.stimulus_id)
    state, decision = decide(inference, inference.told(state, first, answered("33", first)), first)
    assert [each.truth for each in decision.recalled or ()] == ["3", "3"]
    assert inference.wonders(state, first) is None, "it was answered before"
    second = show(("fovea", 3, (2.0,)))
    assert inference.wonders(state, second) is None
    _, decision = decide(inference, state, second)
    assert decision.recalled is None
    assert inference.wonders(state, show(LOOK, episode="second")) is not None


def test_nobody_is_asked_about_outcomes_or_the_host_or_when_it_is_switched_off(
    inference: Inference, show: Show, tell: Callable[..., Broadcast]
) -> None:
    state = inference.initial()
    assert inference.wonders(state, tell("1")) is None
    assert inference.wonders(state, show(("load", None, (0.5,)), modality="interoception")) is None
    deaf = Inference(InferenceSettings(model=inference.settings.model, recall=False))
    assert deaf.wonders(deaf.initial(), show(LOOK)) is None


def test_what_is_recalled_shifts_every_belief_of_the_episode(inference: Inference, show: Show) -> None:
    first, second = show(LOOK), show(("fovea", 3, (2.0,)))
    state = inference.initial()
    biased = inference.told(state, first, answered("7" * 32, first))
    for event in (first, second):
        state, plain = decide(inference, state, event)
        biased, expecting = decide(inference, biased, event)
        assert expecting.posterior["digit"][7] > plain.posterior["digit"][7]
        assert sum(expecting.posterior["digit"]) == pytest.approx(1.0)


def test_without_an_answer_she_decides_as_without_memory(inference: Inference, show: Show) -> None:
    first = show(LOOK)
    _, plain = decide(inference, inference.initial(), first)
    _, unanswered = decide(inference, inference.told(inference.initial(), first, None), first)
    assert unanswered.recalled == ()
    assert unanswered.posterior == plain.posterior


def test_what_was_recalled_survives_a_restart(inference: Inference, show: Show) -> None:
    first, second = show(LOOK), show(("fovea", 3, (2.0,)))
    state, _ = decide(inference, inference.told(inference.initial(), first, answered("7777", first)), first)
    restored = decode_state(encode_state(state, name="i", version=1), InferenceState, name="i", version=1)
    assert decide(inference, restored, second)[1] == decide(inference, state, second)[1]


def test_episodes_without_a_truth_are_passed_over(inference: Inference, show: Show) -> None:
    first = show(LOOK)
    untold = Episode(id=uuid7(START), occurred_at=first.at, content="seen", context={"verdict": "right"})
    _, decision = decide(
        inference, inference.told(inference.initial(), first, Recall(episodes=(untold,))), first
    )
    assert decision.recalled == ()
