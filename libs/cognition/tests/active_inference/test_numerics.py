"""Special functions against their identities."""

import numpy as np
import pytest
from emily_cognition.active_inference.numerics import contract, digamma, log_sum_exp, outer


def test_digamma_obeys_its_recurrence() -> None:
    x = np.array([1e-3, 0.1, 0.5, 1.0, 2.0, 7.3, 40.0, 1e4])

    np.testing.assert_allclose(digamma(x + 1) - digamma(x), 1 / x, rtol=1e-9)
    assert digamma(np.array([1.0]))[0] == pytest.approx(-0.5772156649015329, abs=1e-14)


def test_log_sum_exp_does_not_overflow() -> None:
    assert log_sum_exp(np.array([1000.0, 1000.0])) == pytest.approx(1000 + np.log(2))


def test_contraction_is_the_sum_against_an_outer_product() -> None:
    rng = np.random.default_rng(0)
    tensor, a, b = rng.normal(size=(4, 3, 2)), rng.normal(size=3), rng.normal(size=2)

    np.testing.assert_allclose(contract(tensor, {1: a, 2: b}), np.tensordot(tensor, outer(a, b), 2))
