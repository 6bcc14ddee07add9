"""Sets of packed hypervectors whose similarity has a shape: levels, thermometers, circles."""

from __future__ import annotations

import numpy as np

from emily_instinct import hypervector
from emily_instinct.errors import InstinctError
from emily_instinct.hypervector import Packed


def level(count: int, dimension: int, rng: np.random.Generator) -> Packed:
    """`(count, words)`: similarity falls linearly with the distance of the levels, to chance at the ends.

    Source: Rahimi et al. 2016.
    """
    _require_two(count)
    first, last = hypervector.unpack(hypervector.random(2, dimension, rng), dimension)
    turn = rng.uniform(size=dimension)
    shares = np.linspace(0.0, 1.0, count)[:, None]
    return hypervector.pack(np.where(turn < shares, last, first))


def thermometer(count: int, dimension: int) -> Packed:
    """`(count, words)`: level i has its first i/(count-1) dimensions set; the ends are opposite."""
    _require_two(count)
    filled = np.round(np.linspace(0.0, dimension, count))[:, None]
    return hypervector.pack(np.arange(dimension) < filled)


def circular(count: int, dimension: int, rng: np.random.Generator) -> Packed:
    """`(count, words)`: like `level`, but the last is next to the first; opposite points are at chance.

    Each dimension is turned at one point of the circle and back half a circle later.
    """
    _require_two(count)
    first, opposite = hypervector.unpack(hypervector.random(2, dimension, rng), dimension)
    turn = rng.uniform(0.0, 0.5, size=dimension)
    angle = np.arange(count)[:, None] / count
    turned = (angle > turn) & (angle <= turn + 0.5)
    return hypervector.pack(np.where(turned, opposite, first))


def _require_two(count: int) -> None:
    if count < 2:
        raise InstinctError(f"count: {count} is below 2; a scale has two ends")
