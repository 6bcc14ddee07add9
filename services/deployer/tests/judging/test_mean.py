"""Laws of the bounds of a mean."""

from __future__ import annotations

import numpy as np
import pytest
from emily_deployer.judging.mean import BoundedMean
from hypothesis import given
from hypothesis import strategies as st

READINGS = st.lists(st.floats(-20, 20), max_size=80)


def taken(readings: list[float] | np.ndarray, alpha: float = 0.01) -> BoundedMean:
    mean = BoundedMean(-10.0, 10.0, alpha=alpha)
    mean.add(*readings)
    return mean


def test_nothing_seen_says_nothing() -> None:
    assert taken([]).bounds == (-10, 10)


@given(READINGS)
def test_bounds_are_in_order_and_in_range(readings: list[float]) -> None:
    low, high = taken(readings).bounds
    assert -10 <= low <= high <= 10


@given(READINGS)
def test_mirrored_readings_have_mirrored_bounds(readings: list[float]) -> None:
    low, high = taken(readings).bounds
    mirrored_low, mirrored_high = taken([-reading for reading in readings]).bounds
    assert (low, high) == pytest.approx((-mirrored_high, -mirrored_low), abs=1e-9)


@given(READINGS, st.floats(0, 5))
def test_what_is_outside_counts_as_the_end(readings: list[float], beyond: float) -> None:
    assert taken([*readings, 10 + beyond]).bounds == taken([*readings, 10]).bounds


def test_the_true_mean_is_left_at_any_time_no_more_often_than_said() -> None:
    rng, runs, left = np.random.default_rng(3), 200, 0
    for _ in range(runs):
        mean = BoundedMean(0.0, 1.0, alpha=0.025)
        out = False
        for reading in rng.beta(2, 5, 200):
            mean.add(reading)
            low, high = mean.bounds
            out = out or not low <= 2 / 7 <= high
        left += out
    assert left <= 0.05 * runs + 3 * np.sqrt(0.05 * 0.95 * runs)


def test_more_readings_are_more_certain() -> None:
    readings = np.random.default_rng(4).normal(2, 1, 4000)
    few, many = taken(readings[:200]).bounds, taken(readings).bounds
    assert many[1] - many[0] < few[1] - few[0]
    assert many[1] - many[0] < 0.5


@pytest.mark.parametrize(
    ("low", "high", "alpha", "field"), [(1, 1, 0.1, "high"), (0, 1, 0, "alpha"), (0, 1, 1, "alpha")]
)
def test_what_makes_no_sense_is_refused(low: float, high: float, alpha: float, field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        BoundedMean(low, high, alpha=alpha)
