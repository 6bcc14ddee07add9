"""Laws of the difference of two proportions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from emily_deployer.judging.mixture import log_evidence
from emily_deployer.judging.proportion import Proportion, log_evidence_of_excess
from hypothesis import given
from hypothesis import strategies as st

PROPORTIONS = st.integers(0, 300).flatmap(
    lambda trials: st.builds(Proportion, happened=st.integers(0, trials), trials=st.just(trials))
)
BOUND = st.floats(-0.2, 0.2)


def mirrored(seen: Proportion) -> Proportion:
    return Proportion(happened=seen.trials - seen.happened, trials=seen.trials)


@given(BOUND)
def test_nothing_seen_is_no_evidence(bound: float) -> None:
    assert log_evidence_of_excess(Proportion(), Proportion(), bound) <= 1e-9


@given(PROPORTIONS, BOUND)
def test_one_stream_alone_says_nothing(seen: Proportion, bound: float) -> None:
    assert log_evidence_of_excess(seen, Proportion(), abs(bound)) <= 1e-9
    assert log_evidence_of_excess(Proportion(), seen, abs(bound)) <= 1e-9


@given(PROPORTIONS, PROPORTIONS, BOUND)
def test_what_is_no_excess_is_none_of_the_opposite(more: Proportion, less: Proportion, bound: float) -> None:
    found = log_evidence_of_excess(more, less, bound)
    opposite = log_evidence_of_excess(mirrored(less), mirrored(more), bound)
    assert found == pytest.approx(opposite, abs=1e-5)


@given(PROPORTIONS, PROPORTIONS)
def test_a_larger_bound_never_has_more_evidence(more: Proportion, less: Proportion) -> None:
    found = [log_evidence_of_excess(more, less, bound) for bound in np.linspace(-0.3, 0.3, 7)]
    assert (np.diff(found) <= 1e-6).all()


@given(PROPORTIONS, PROPORTIONS, BOUND)
def test_both_ways_are_never_certain_at_once(more: Proportion, less: Proportion, bound: float) -> None:
    needed = math.log(20)
    more_certain = log_evidence_of_excess(more, less, bound) >= needed
    less_certain = log_evidence_of_excess(less, more, -bound) >= needed
    assert not (more_certain and less_certain)


@given(PROPORTIONS, PROPORTIONS, BOUND)
def test_the_least_is_not_above_any_allowed_pair(more: Proportion, less: Proportion, bound: float) -> None:
    found = log_evidence_of_excess(more, less, bound)
    low, high = max(0.0, -bound), min(1.0, 1 - bound)
    for probability in np.linspace(low, high, 25):
        pair = log_evidence(more.happened, more.trials, probability + bound) + log_evidence(
            less.happened, less.trials, probability
        )
        assert found <= float(pair) + 1e-6


def test_more_than_all_is_refused() -> None:
    with pytest.raises(ValueError, match=r"happened: 2 is not in 0\.\.1"):
        Proportion(happened=2, trials=1)
