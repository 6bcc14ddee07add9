from __future__ import annotations

import numpy as np
import pytest
from emily_inference.vision.grey import LEVELS, level_of, neighbouring_levels, noisy_levels


def test_levels_rise_with_grey_and_readings_beyond_the_scale_count_as_its_ends() -> None:
    levels = level_of(np.array([-3.0, 0.0, 1.0, 5.0, 9.0, 13.0, 16.0, 40.0]))
    assert levels.tolist() == [0, 0, 1, 2, 3, 4, 5, 5]


@pytest.mark.parametrize("deviation", [0.0, 0.5, 2.0, 6.0, 50.0])
def test_noise_moves_probability_but_loses_none(deviation: float) -> None:
    read = noisy_levels(deviation)
    assert read.shape == (LEVELS, LEVELS)
    assert np.all(read >= 0)
    np.testing.assert_allclose(read.sum(axis=0), 1.0, atol=1e-12)


def test_more_noise_leaves_the_true_level_less_often() -> None:
    kept = [np.diag(noisy_levels(deviation)).mean() for deviation in (0.0, 2.0, 4.0, 6.0)]
    assert kept[0] == 1.0
    assert kept == sorted(kept, reverse=True)


def test_a_reading_speaks_most_for_its_own_level_and_less_the_farther_another_is() -> None:
    spread = neighbouring_levels()
    np.testing.assert_allclose(spread.sum(axis=0), 1.0)
    assert np.all(np.diff(spread[:, 0]) < 0)
