"""What the mind looks at: a grid of greys, as it is or made harder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDE = 8
PLACES = SIDE * SIDE
BRIGHTEST = 16.0


def shifted(images: NDArray[np.float64], right: int, down: int) -> NDArray[np.float64]:
    """(N, 64) pictures moved by whole pixels; what comes in at the edges is empty."""
    grids = images.reshape(-1, SIDE, SIDE)
    moved = np.zeros_like(grids)
    moved[:, _into(down), _into(right)] = grids[:, _into(-down), _into(-right)]
    return moved.reshape(images.shape)


def noisy(images: NDArray[np.float64], deviation: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """(N, 64) pictures under gaussian noise, kept within [0, 16]; unchanged when `deviation` is 0."""
    if deviation == 0:
        return images
    return np.clip(images + rng.normal(0.0, deviation, images.shape), 0.0, BRIGHTEST)


def _into(offset: int) -> slice:
    """The part of an axis that content moved by `offset` falls into."""
    return slice(max(0, offset), SIDE + min(0, offset))
