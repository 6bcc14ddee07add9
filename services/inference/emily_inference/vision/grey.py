"""How a picture is sensed: 64 places, each read as one of six grey levels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SIDE = 8
PLACES = SIDE * SIDE
DIGITS = 10
BRIGHTEST = 16.0

_EDGES = np.array([1.0, 4.0, 8.0, 12.0, 15.0])
LEVELS = len(_EDGES) + 1

_LIKENESS = 0.6


def level_of(grey: NDArray[np.float64]) -> NDArray[np.int64]:
    """The grey level, 0 to 5, of each reading in [0, 16]; readings beyond count as the nearest level."""
    return np.searchsorted(_EDGES, grey, side="right").astype(np.int64)


def neighbouring_levels() -> NDArray[np.float64]:
    """How far one reading speaks for levels beside its own: (LEVELS, LEVELS), columns sum to 1.

    A pen pressed a little harder gives the next level, so counts are spread over alike levels.
    """
    distance = np.abs(np.subtract.outer(np.arange(LEVELS), np.arange(LEVELS)))
    spread: NDArray[np.float64] = np.exp(-distance / _LIKENESS)
    return spread / spread.sum(axis=0)


def noisy_levels(deviation: float) -> NDArray[np.float64]:
    """P(level read | true level) under gaussian noise: (LEVELS, LEVELS), columns sum to 1.

    Args:
        deviation: Standard deviation of the noise in grey units; 0 leaves every level as it is.
    """
    if deviation == 0:
        return np.eye(LEVELS)
    greys = np.arange(BRIGHTEST + 1)
    read = np.array([[_below(edge - grey, deviation) for grey in greys] for edge in _EDGES])
    bounds = np.vstack([np.zeros_like(greys), read, np.ones_like(greys)])
    by_grey = np.diff(bounds, axis=0)
    of_level = level_of(greys)
    return np.stack([by_grey[:, of_level == level].mean(axis=1) for level in range(LEVELS)], axis=1)


def _below(distance: float, deviation: float) -> float:
    return 0.5 * (1 + math.erf(distance / (deviation * math.sqrt(2))))
