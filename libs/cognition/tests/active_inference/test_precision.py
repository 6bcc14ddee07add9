"""Precision rises with policies that keep their promise."""

import numpy as np
import pytest
from emily_cognition.active_inference import ModelError, update_precision
from emily_cognition.active_inference.numerics import softmax
from hypothesis import given
from hypothesis import strategies as st

EVEN = np.log([0.5, 0.5])


def test_precision_rises_when_the_favoured_policy_explains_what_happened() -> None:
    neg_efe = np.array([2.0, 0.0])

    kept = update_precision(neg_efe, np.array([0.0, -3.0]), EVEN)
    broken = update_precision(neg_efe, np.array([-3.0, 0.0]), EVEN)

    assert kept.gamma > 1.0 > broken.gamma
    assert update_precision(neg_efe, np.zeros(2), EVEN).gamma == pytest.approx(1.0)


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=2), st.lists(st.floats(-3, 3), min_size=2, max_size=2))
def test_precision_settles_where_surprise_balances_the_prior(value: list[float], past: list[float]) -> None:
    neg_efe, evidence = np.array(value), np.array(past)

    found = update_precision(neg_efe, evidence, EVEN, beta=4.0)

    logits = EVEN + found.gamma * neg_efe
    surprise = (softmax(logits + evidence) - softmax(logits)) @ neg_efe
    assert found.beta == pytest.approx(4.0 - surprise, abs=1e-6)
    assert found.updates[-1] == found.gamma


def test_precision_stays_finite_when_evidence_is_overwhelming() -> None:
    found = update_precision(np.array([50.0, -50.0]), np.array([0.0, -500.0]), EVEN)

    assert 0 < found.gamma <= 1000
    with pytest.raises(ModelError, match="beta: 0"):
        update_precision(np.zeros(2), np.zeros(2), EVEN, beta=0)
