"""What to expect of a picture from what remembered moments turned out to be."""

from __future__ import annotations

from collections.abc import Sequence
from math import lgamma

import numpy as np
from emily_cognition.active_inference.numerics import softmax
from emily_contracts import Recollection
from numpy.typing import NDArray

from emily_inference.vision.grey import DIGITS

CONCENTRATIONS = (1.0, 3.0, 10.0)
"""Total counts of the Dirichlets that are weighed: the fewer, the more one-sided a world is."""
IRRELEVANCE = 0.5
"""Prior probability that memory tells nothing, so that every digit stays as likely as the model says."""


def expectation(recalled: Sequence[Recollection]) -> NDArray[np.float64] | None:
    """(DIGITS,) how likely each digit is next, times DIGITS; none when memory tells nothing.

    The average over worlds in which digits come in unknown shares, drawn from symmetrical Dirichlets of
    several concentrations, and one in which memory is irrelevant, each weighed by its evidence. So a
    one-sided past is expected to go on, and an even one changes almost nothing.

    Source: Minka (2000), Estimating a Dirichlet distribution, equation 3 (the evidence of counts).
    """
    counts = np.zeros(DIGITS)
    for recollection in recalled:
        if recollection.truth in _DIGIT_OF:
            counts[_DIGIT_OF[recollection.truth]] += recollection.weight
    total = float(counts.sum())
    if total == 0:
        return None
    evidence = [np.log(IRRELEVANCE) - total * np.log(DIGITS)]
    shares = [np.full(DIGITS, 1 / DIGITS)]
    for concentration in CONCENTRATIONS:
        prior = np.log((1 - IRRELEVANCE) / len(CONCENTRATIONS))
        evidence.append(prior + _log_evidence(counts, concentration))
        shares.append((counts + concentration / DIGITS) / (total + concentration))
    expected: NDArray[np.float64] = DIGITS * np.einsum(
        "m,md->d", softmax(np.array(evidence)), np.array(shares)
    )
    return expected


def _log_evidence(counts: NDArray[np.float64], concentration: float) -> float:
    """Of counts under a symmetrical Dirichlet of that total concentration."""
    each = concentration / DIGITS
    drawn = sum(lgamma(count + each) - lgamma(each) for count in counts)
    return drawn + lgamma(concentration) - lgamma(concentration + float(counts.sum()))


_DIGIT_OF = {str(digit): digit for digit in range(DIGITS)}
