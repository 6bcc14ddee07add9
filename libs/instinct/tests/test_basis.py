from __future__ import annotations

import numpy as np
import pytest
from emily_instinct import basis, hypervector
from emily_instinct.errors import InstinctError

DIMENSION = 10_000


def test_level_similarity_falls_linearly_to_chance(rng: np.random.Generator) -> None:
    scale = basis.level(11, DIMENSION, rng)
    share = hypervector.distance(scale, scale[0]) / DIMENSION
    np.testing.assert_allclose(share, np.linspace(0.0, 0.5, 11), atol=0.02)


def test_thermometer_fills_evenly_from_empty_to_full() -> None:
    scale = basis.thermometer(5, 100)
    np.testing.assert_array_equal(np.bitwise_count(scale).sum(axis=-1), [0, 25, 50, 75, 100])
    assert hypervector.cosine_similarity(scale[0], scale[-1], 100) == -1.0


@pytest.mark.parametrize("count", [8, 9])
def test_circle_closes_and_is_at_chance_only_opposite(count: int, rng: np.random.Generator) -> None:
    circle = basis.circular(count, DIMENSION, rng)
    steps = np.minimum(np.arange(count), count - np.arange(count))
    share = hypervector.distance(circle, circle[0]) / DIMENSION
    np.testing.assert_allclose(share, steps / count, atol=0.02)


def test_scale_of_one_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(InstinctError, match="count: 1 is below 2"):
        basis.thermometer(1, 64)
