"""Intervals that hold whenever one looks, and whether subjects were shared out as they should be."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

CONFIDENCE = 0.95
LEAST_SUBJECTS = 10
"""Of each side; the mean of fewer is not nearly normal."""
EXPECTED_EFFECT = 0.3
"""For which the interval is tightest, in standard deviations between subjects."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Between the means of two groups.

    Attributes:
        low, high: Bounds of the interval; none while it can't be given.
    """

    mean: float
    control_mean: float
    difference: float
    low: float | None = None
    high: float | None = None


def difference(values: Sequence[float], control: Sequence[float]) -> Difference:
    """Of the means of values, one a subject, with an interval that is valid at every look.

    Neither side may be empty. Assumes that subjects are independent, and the means nearly normal.

    Source: mixture sequential probability ratio test with a normal mixture, Johari, Koomen, Pekelis and Walsh
    (2022), Always valid inference, equation for the normal case; Robbins (1970).
    """
    mean, variance = _moments(values)
    control_mean, control_variance = _moments(control)
    found = Difference(mean=mean, control_mean=control_mean, difference=mean - control_mean)
    spread = variance / len(values) + control_variance / len(control)
    if min(len(values), len(control)) < LEAST_SUBJECTS or spread == 0:
        return found
    mixture = EXPECTED_EFFECT**2 * (variance + control_variance) / 2
    half = math.sqrt(
        spread
        * (spread + mixture)
        / mixture
        * (2 * math.log(1 / (1 - CONFIDENCE)) + math.log((spread + mixture) / spread))
    )
    return msgspec.structs.replace(found, low=found.difference - half, high=found.difference + half)


def chi_square(observed: Sequence[int], shares: Sequence[float]) -> float:
    """Probability of counts at least as far from the shares as those, by Pearson's test.

    Args:
        observed: Counts.
        shares: Expected, adding up to 1; a count whose share is 0 makes the result 0.
    """
    total = sum(observed)
    statistic, freedom = 0.0, -1
    for count, share in zip(observed, shares, strict=True):
        if share > 0:
            statistic += (count - total * share) ** 2 / (total * share) if total else 0.0
            freedom += 1
        elif count:
            return 0.0
    return _survival(statistic, freedom)


def _survival(statistic: float, freedom: int) -> float:
    """P(X > statistic) of the chi-square distribution, by its recurrence over degrees of freedom."""
    if freedom < 1 or statistic <= 0:
        return 1.0
    half = statistic / 2
    probability = math.erfc(math.sqrt(half)) if freedom % 2 else math.exp(-half)
    for degrees in range(1 + (freedom + 1) % 2, freedom, 2):
        order = degrees / 2
        probability += math.exp(order * math.log(half) - half - math.lgamma(order + 1))
    return min(1.0, probability)


def _moments(values: Sequence[float]) -> tuple[float, float]:
    """Mean and unbiased variance; of one value the variance is 0."""
    mean = math.fsum(values) / len(values)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return mean, squares / max(1, len(values) - 1)
