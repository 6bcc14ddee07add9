"""Intervals hold whenever one looks, and shares are tested as the textbook does."""

from __future__ import annotations

import math

import numpy as np
import pytest
from emily_flag_service.experiment.statistics import chi_square, difference


@pytest.mark.parametrize(
    ("observed", "shares", "p"),
    [
        ((50, 50), (0.5, 0.5), 1.0),
        ((60, 40), (0.5, 0.5), 0.0455003),  # X^2 = 4 of 1 degree of freedom
        ((30, 20, 10), (1 / 3, 1 / 3, 1 / 3), 0.0067379),  # 10 of 2: exp(-5)
        ((20, 10, 5, 5), (0.25, 0.25, 0.25, 0.25), 0.0018166),  # 15 of 3
        ((10, 0), (1.0, 0.0), 1.0),
        ((10, 1), (1.0, 0.0), 0.0),
        ((0, 0), (0.5, 0.5), 1.0),
    ],
)
def test_counts_are_compared_with_their_shares(
    observed: tuple[int, ...], shares: tuple[float, ...], p: float
) -> None:
    assert chi_square(observed, shares) == pytest.approx(p, rel=1e-4)


def test_an_effect_is_found_and_its_interval_holds_it() -> None:
    rng = np.random.default_rng(0)
    found = difference(rng.normal(1.0, 1, 800).tolist(), rng.normal(0.5, 1, 800).tolist())
    assert found.low is not None
    assert found.high is not None
    assert 0 < found.low < 0.5 < found.high


def test_whoever_looks_after_every_subject_is_seldom_deceived() -> None:
    """Two groups without a difference, looked at 59 times: a fixed interval would far oftener."""
    rng = np.random.default_rng(1)
    deceived = 0
    for _ in range(200):
        values, control = rng.normal(0, 1, 300).tolist(), rng.normal(0, 1, 300).tolist()
        looks = (difference(values[:n], control[:n]) for n in range(10, 301, 5))
        deceived += any(look.low is not None and (look.low > 0 or look.high < 0) for look in looks)  # type: ignore[operator]
    assert deceived <= 200 * 0.05 + 3 * math.sqrt(200 * 0.05 * 0.95)


@pytest.mark.parametrize("between", [1.0, 0.0])
def test_who_looks_while_the_same_subjects_go_on_is_seldom_deceived(between: float) -> None:
    """What is known of each subject grows, whether they differ by themselves or are all alike."""
    rng = np.random.default_rng(3)
    deceived = 0
    for _ in range(100):
        usual, lived = rng.normal(0, between, (2, 40)), np.zeros((2, 40))
        seen = False
        for moment in range(1, 31):
            lived += rng.normal(usual, 1.0)
            look = difference(*(lived / moment).tolist())
            seen = seen or (look.low is not None and look.high is not None and not look.low <= 0 <= look.high)
        deceived += seen
    assert deceived <= 100 * 0.05 + 3 * math.sqrt(100 * 0.05 * 0.95)


@pytest.mark.parametrize(
    ("values", "control"), [([1.0] * 9, [0.0, 1.0] * 20), ([1.0] * 50, [1.0] * 50), ([1.0], [0.0])]
)
def test_without_enough_subjects_or_any_spread_no_interval_is_given(
    values: list[float], control: list[float]
) -> None:
    found = difference(values, control)
    assert found.low is None
    assert found.difference == pytest.approx(found.mean - found.control_mean)
