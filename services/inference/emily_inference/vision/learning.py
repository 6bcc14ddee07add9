"""What an episode's outcome teaches: how the digits look, and which structure the world has."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from emily_inference.vision.beliefs import Reading, with_edge
from emily_inference.vision.grey import neighbouring_levels
from emily_inference.vision.hypotheses import OUTSIDE, readings, sources

_SOURCES = sources()
_READINGS = readings()
_NEIGHBOURING = neighbouring_levels()

Array = NDArray[np.float64]


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """How fast is learned.

    Attributes:
        counts: Added to the Dirichlet counts of a place that was seen, shared among the styles.
        forgetting: Share of those counts that is lost first, so that they stay bounded.
        memory: Share of the structures' evidence that is kept from one episode to the next.
    """

    counts: float = 0.5
    forgetting: float = 0.01
    memory: float = 0.95


def structure_evidence(counts: Array, prior: Array, seen: tuple[Reading, ...], digit: int) -> Array:
    """(H,) log probability of what was seen under each structure, given the digit that was shown.

    Args:
        counts: (PLACES, LEVELS, DIGITS, styles) Dirichlet counts.
        prior: (DIGITS, styles).
        seen: In one episode.
        digit: That was shown.
    """
    places = [reading.place for reading in seen]
    levels = [reading.level for reading in seen]
    expected = with_edge(counts)[:, :, digit]
    looks = np.einsum("hnl,hnls->hns", _READINGS[:, levels], expected[_SOURCES[:, places]])
    log_joint = np.log(looks).sum(axis=1) + np.log(prior[digit])
    evidence: Array = np.logaddexp.reduce(log_joint, axis=1)
    return evidence


def learned_counts(
    counts: Array, styles: Array, seen: tuple[Reading, ...], *, digit: int, structure: int, rates: Rates
) -> Array:
    """The Dirichlet counts after an episode whose digit became known.

    What was read is led back to the place and the true level that it stands for under `structure`.

    Args:
        counts: (PLACES, LEVELS, DIGITS, styles).
        styles: (styles,) posterior of the style given the digit.
        seen: In the episode.
        digit: That was shown.
        structure: Index of the likeliest hypothesis.
        rates: Of learning.

    Source: Friston et al. (2016), Active inference and learning, equation 11.
    """
    after = counts.copy()
    for reading in seen:
        place = _SOURCES[structure, reading.place]
        if place == OUTSIDE:
            continue
        old = counts[place, :, digit]
        level = _READINGS[structure, reading.level][:, None] * old
        level = _NEIGHBOURING @ (level / level.sum(axis=0))
        after[place, :, digit] = (1 - rates.forgetting * styles) * old + rates.counts * styles * level
    return after
