"""Pictures are moved and blurred as asked, and never leave the scale."""

import numpy as np
from emily_world.picture import BRIGHTEST, SIDE, noisy, shifted
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

greys = arrays(np.float64, (2, SIDE * SIDE), elements=st.floats(0, BRIGHTEST))
pixels = st.integers(-7, 7)


@given(images=greys, right=pixels, down=pixels)
def test_a_shift_moves_every_pixel_and_empties_the_edge(
    images: NDArray[np.float64], right: int, down: int
) -> None:
    moved = shifted(images, right, down).reshape(-1, SIDE, SIDE)
    for row in range(SIDE):
        for column in range(SIDE):
            old_row, old_column = row - down, column - right
            inside = 0 <= old_row < SIDE and 0 <= old_column < SIDE
            expected = images[:, old_row * SIDE + old_column] if inside else np.zeros(2)
            assert np.array_equal(moved[:, row, column], expected)


@given(images=greys)
def test_no_noise_leaves_a_picture_alone(images: NDArray[np.float64]) -> None:
    assert np.array_equal(noisy(images, 0.0, np.random.default_rng(0)), images)


@given(images=greys, deviation=st.floats(0.1, 16), seed=st.integers(0, 1000))
def test_noise_stays_on_the_scale_and_follows_its_seed(
    images: NDArray[np.float64], deviation: float, seed: int
) -> None:
    noised = noisy(images, deviation, np.random.default_rng(seed))
    assert noised.min() >= 0
    assert noised.max() <= BRIGHTEST
    assert not np.array_equal(noised, images)
    assert np.array_equal(noised, noisy(images, deviation, np.random.default_rng(seed)))
