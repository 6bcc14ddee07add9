"""The report tells a collapsed sampler from a perfect one whose target is peaked."""

import numpy as np
import pytest
from emily_cognition.gflownet import HyperGrid, diversity
from emily_cognition.gflownet.evaluation import (
    expected_unique,
    jensen_shannon_divergence,
    l1_distance,
    seen,
    total_variation,
)
from emily_cognition.gflownet.graph import Real
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

GRID = HyperGrid(2, 8).environment()
DISTRIBUTIONS = arrays(np.float64, 6, elements=st.floats(0.01, 1)).map(lambda p: p / p.sum())


def test_a_perfect_sampler_raises_no_alarm_although_it_repeats_itself() -> None:
    rng = np.random.default_rng(0)
    reports = [diversity(GRID, rng.choice(64, 100, p=GRID.target), GRID.target) for _ in range(300)]
    assert sum(report.collapsed for report in reports) <= 3
    assert np.mean([report.unique for report in reports]) == pytest.approx(
        reports[0].expected_unique, abs=0.5
    )
    assert reports[0].expected_unique == pytest.approx(32.52, abs=0.01)
    assert np.mean([report.modes_found for report in reports]) == pytest.approx(
        reports[0].expected_modes, abs=0.05
    )
    assert reports[0].l1 == reports[0].jensen_shannon == 0


def test_a_sampler_of_one_mode_is_found_out_by_every_sign() -> None:
    best = int(np.argmax(GRID.log_reward))
    report = diversity(GRID, np.full(100, best), np.eye(64)[best])
    assert report.collapsed
    assert report.coverage == 0.25
    assert len(report.alarms) == 3
    assert "1 distinct objects in 100 draws" in report.alarms[0]
    assert "1 of 4 modes found" in report.alarms[1]
    assert "total variation 0.884 is above 0.25" in report.alarms[2]


def test_a_sampler_that_misses_a_mode_is_told_which_bound_it_broke() -> None:
    modes = np.flatnonzero(GRID.log_reward == GRID.log_reward.max())
    without = GRID.target.copy()
    without[modes[0]] = 0
    without /= without.sum()
    report = diversity(GRID, np.random.default_rng(1).choice(64, 200, p=without), without)
    assert report.modes_found == 3
    assert report.alarms == (f"3 of 4 modes found; at least {report.least_modes:.1f} were due",)
    assert report.total_variation == pytest.approx(GRID.target[modes[0]])


def test_a_mode_that_chance_may_miss_raises_no_alarm() -> None:
    modes = np.flatnonzero(GRID.log_reward == GRID.log_reward.max())
    report = diversity(GRID, np.append(np.arange(8), modes[:3]), GRID.target)
    assert report.modes_found == 3
    assert not report.collapsed


@given(DISTRIBUTIONS, DISTRIBUTIONS)
def test_distances_are_symmetric_bounded_and_zero_only_at_home(p: Real, q: Real) -> None:
    assert total_variation(p, q) == total_variation(q, p) == l1_distance(p, q) / 2 <= 1
    assert jensen_shannon_divergence(p, q) == pytest.approx(jensen_shannon_divergence(q, p), abs=1e-12)
    assert -1e-12 <= jensen_shannon_divergence(p, q) <= np.log(2) + 1e-12
    assert jensen_shannon_divergence(p, p) == 0
    assert jensen_shannon_divergence(np.array([1.0, 0]), np.array([0, 1.0])) == pytest.approx(np.log(2))


@given(DISTRIBUTIONS, st.integers(1, 200))
def test_expected_unique_counts_what_draws_show(p: Real, draws: int) -> None:
    np.testing.assert_allclose(seen(p, draws), 1 - (1 - p) ** draws, atol=1e-12)
    assert 1 - 1e-9 <= expected_unique(p, draws) <= min(draws, len(p)) + 1e-9
    assert expected_unique(np.array([1.0, 0.0]), draws) == pytest.approx(1.0)
