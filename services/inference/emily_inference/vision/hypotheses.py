"""Structural hypotheses about the world: how pictures are displaced and how noisy the sensor is."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emily_inference.vision.grey import PLACES, SIDE, noisy_levels

OUTSIDE = PLACES
"""Stands for a place beyond the edge of the picture."""

_FARTHEST = 2
_DEVIATIONS = (0.0, 2.0, 4.0, 6.0)
_NATS_PER_PIXEL = 3.0
_NATS_PER_NOISE_STEP = 3.0


class Structure(NamedTuple):
    """One hypothesis: every picture lies `right` and `down` of where it was learned, under noise.

    Attributes:
        right, down: In places, from -2 to 2.
        noise: Standard deviation of the sensor's noise in grey units.
    """

    right: int
    down: int
    noise: float

    def __str__(self) -> str:
        return f"shift ({self.right:+d}, {self.down:+d}), noise {self.noise:g}"


_OFFSETS = tuple(range(-_FARTHEST, _FARTHEST + 1))

VOCABULARY: dict[str, tuple[float, ...]] = {"right": _OFFSETS, "down": _OFFSETS, "noise": _DEVIATIONS}
"""What hypotheses are composed of."""

STRUCTURES = tuple(Structure(*parts) for parts in itertools.product(_OFFSETS, _OFFSETS, _DEVIATIONS))
"""All hypotheses; a hypothesis is named by its index here."""

UNCHANGED = STRUCTURES.index(Structure(0, 0, 0.0))
"""The hypothesis that the world is as it was learned."""


def log_prior() -> NDArray[np.float64]:
    """(H,) log probabilities: the farther from what was learned, the less likely."""
    weights = np.array(
        [
            -_NATS_PER_PIXEL * (abs(right) + abs(down)) - _NATS_PER_NOISE_STEP * _DEVIATIONS.index(noise)
            for right, down, noise in STRUCTURES
        ]
    )
    log_probabilities: NDArray[np.float64] = weights - np.logaddexp.reduce(weights)
    return log_probabilities


def sources() -> NDArray[np.int64]:
    """(H, PLACES): the place of the learned picture that each place shows, or OUTSIDE."""
    rows, columns = np.divmod(np.arange(PLACES), SIDE)
    learned = []
    for right, down, _ in STRUCTURES:
        row, column = rows - down, columns - right
        inside = (row >= 0) & (row < SIDE) & (column >= 0) & (column < SIDE)
        learned.append(np.where(inside, row * SIDE + column, OUTSIDE))
    return np.stack(learned)


def readings() -> NDArray[np.float64]:
    """(H, LEVELS, LEVELS): P(level read | true level) under each hypothesis."""
    return np.stack([noisy_levels(structure.noise) for structure in STRUCTURES])
