"""Laws of the evidence against a probability."""

from __future__ import annotations

import math

import numpy as np
import pytest
from emily_deployer.judging.mixture import (
    interval,
    log_evidence,
    log_evidence_above,
    log_evidence_below,
    log_evidences_above,
    log_evidences_below,
)
from hypothesis import given
from hypothesis import strategies as st

COUNTS = st.integers(0, 500).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))
PROBABILITY = st.floats(0.01, 0.99)


@given(PROBABILITY)
def test_no_trial_is_no_evidence(probability: float) -> None:
    assert log_evidence(0, 0, probability) == pytest.approx(0)
    assert interval(0, 0, 0.05) == (0, 1)


@given(COUNTS, PROBABILITY)
def test_a_further_flip_leaves_the_martingale_where_it_is_on_average(
    counts: tuple[int, int], probability: float
) -> None:
    successes, trials = counts
    now = log_evidence(successes, trials, probability)
    up = log_evidence(successes + 1, trials + 1, probability) - now
    down = log_evidence(successes, trials + 1, probability) - now
    assert probability * math.exp(up) + (1 - probability) * math.exp(down) == pytest.approx(1, rel=1e-6)


@given(COUNTS, PROBABILITY)
def test_success_and_failure_are_alike(counts: tuple[int, int], probability: float) -> None:
    successes, trials = counts
    mirrored = log_evidence(trials - successes, trials, 1 - probability)
    assert log_evidence(successes, trials, probability) == pytest.approx(mirrored, abs=1e-6)


@given(st.integers(1, 500), PROBABILITY)
def test_fewer_successes_never_speak_less_for_a_low_probability(trials: int, probability: float) -> None:
    counts = np.arange(trials + 1)
    below = log_evidences_below(counts, trials, probability)
    above = log_evidences_above(counts, trials, probability)
    middle = probability * trials
    assert (np.diff(below[counts <= middle]) <= 1e-9).all()
    assert (np.diff(above[counts >= middle]) >= -1e-9).all()
    assert (below[counts >= middle] <= math.log(2)).all()


@given(COUNTS, PROBABILITY)
def test_many_counts_at_once_are_the_same(counts: tuple[int, int], probability: float) -> None:
    successes, trials = counts
    below = log_evidence_below(successes, trials, probability)
    above = log_evidence_above(successes, trials, probability)
    assert log_evidences_below(np.array([successes]), trials, probability) == pytest.approx(below, abs=1e-6)
    assert log_evidences_above(np.array([successes]), trials, probability) == pytest.approx(above, abs=1e-6)


@given(COUNTS)
def test_an_interval_holds_what_was_seen_and_more_certainty_is_wider(counts: tuple[int, int]) -> None:
    successes, trials = counts
    low, high = interval(successes, trials, 0.05)
    wider_low, wider_high = interval(successes, trials, 0.001)
    assert 0 <= wider_low <= low <= high <= wider_high <= 1
    if trials:
        assert low <= successes / trials <= high


def test_a_true_probability_is_left_at_any_time_no_more_often_than_said() -> None:
    rng = np.random.default_rng(1)
    left, runs, needed = 0, 400, math.log(1 / 0.05)
    for _ in range(runs):
        successes = np.cumsum(rng.random(400) < 0.1)
        left += any(
            log_evidence(int(count), trials, 0.1) >= needed for trials, count in enumerate(successes, start=1)
        )
    assert left <= 0.05 * runs + 3 * math.sqrt(0.05 * 0.95 * runs)
