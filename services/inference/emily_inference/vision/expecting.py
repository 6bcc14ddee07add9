"""What to expect of a picture from what remembered moments turned out to be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from emily_contracts import Recollection
from numpy.typing import NDArray

from emily_inference.vision.grey import DIGITS

CONCENTRATIONS = np.array([1.0, 3.0, 10.0, np.inf])
"""Total counts of the Dirichlets from which a world draws its shares of digits; in the last all are alike."""
PRIOR = np.array([1.0, 1.0, 1.0, 3.0]) / 6
"""Of the concentrations: as likely as not, memory tells nothing."""
HAZARD = 0.02
"""Probability that the world changes after a moment."""

_DIGIT_OF = {str(digit): digit for digit in range(DIGITS)}


def expectation(recalled: Sequence[Recollection]) -> NDArray[np.float64] | None:
    """(DIGITS,) how likely each digit is next, times DIGITS; none when memory tells nothing.

    Worlds show digits in shares of their own, and change now and then. How long the present one has lasted,
    and how one-sided it is, is inferred from the truths in the order of time; the predictions of all its
    possible lengths are averaged. So a one-sided past is expected to go on, an even one changes almost
    nothing, and one that ended is soon forgotten.

    Args:
        recalled: The oldest first.

    Source: Adams & MacKay (2007), Bayesian online changepoint detection, algorithm 1.
    """
    digits = [_DIGIT_OF[each.truth] for each in recalled if each.truth in _DIGIT_OF]
    if not digits:
        return None
    counts = np.zeros((1, DIGITS))
    belief = PRIOR[:, None]
    for digit in digits:
        seen = belief * _shares(counts)[..., digit]
        changed = HAZARD * seen.sum() * PRIOR[:, None]
        counts = np.concatenate([np.zeros((1, DIGITS)), counts + np.eye(DIGITS)[digit]])
        belief = np.concatenate([changed, (1 - HAZARD) * seen], axis=1)
        belief /= belief.sum()
    expected: NDArray[np.float64] = DIGITS * np.einsum("cl,cld->d", belief, _shares(counts))
    return expected


def _shares(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(concentrations, lengths, DIGITS) predictive shares of worlds that showed these counts so far."""
    finite = CONCENTRATIONS[:-1, None, None]
    drawn = (counts + finite / DIGITS) / (counts.sum(axis=1)[:, None] + finite)
    return np.concatenate([drawn, np.full((1, *counts.shape), 1 / DIGITS)])
