"""Whether a sampler shows as many hypotheses as a perfect one would, against the exact target.

A count of distinct objects says nothing by itself: a perfect sampler of a peaked target repeats itself. The
report compares it with what the target makes likely.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from emily_cognition.gflownet.environment import Environment
from emily_cognition.gflownet.evaluation import jensen_shannon_divergence, l1_distance, seen, total_variation
from emily_cognition.gflownet.graph import Indices, Real

DEVIATIONS = 3.0
"""How far below its expectation a count raises an alarm, in standard deviations: one false alarm in 740."""

MOST_TOTAL_VARIATION = 0.25


@dataclass(frozen=True)
class Diversity:
    """A sample and its sampler, against the exact target.

    Attributes:
        draws: Size of the sample.
        unique: Distinct objects among them.
        expected_unique: Of a perfect sampler, sum of 1 - (1 - p)^draws.
        least_unique: Below it a perfect sampler hardly ever falls.
        modes: Objects with at least half of the highest reward.
        modes_found: Of those, how many the sample holds.
        expected_modes, least_modes: The same two bounds for them.
        l1, total_variation, jensen_shannon: Distances of the sampler's exact distribution from the target.
        alarms: Signs of mode collapse in words; empty when there is none.
    """

    draws: int
    unique: int
    expected_unique: float
    least_unique: float
    modes: int
    modes_found: int
    expected_modes: float
    least_modes: float
    l1: float
    total_variation: float
    jensen_shannon: float
    alarms: tuple[str, ...]

    @property
    def coverage(self) -> float:
        """Share of the modes that the sample holds."""
        return self.modes_found / self.modes

    @property
    def collapsed(self) -> bool:
        """Whether any alarm was raised."""
        return bool(self.alarms)


def diversity(
    environment: Environment,
    sample: Indices,
    distribution: Real,
    *,
    most_total_variation: float = MOST_TOTAL_VARIATION,
) -> Diversity:
    """The report on a sample.

    Args:
        environment: With the rewards that make the target.
        sample: (n,) objects drawn.
        distribution: (X,) the sampler's exact distribution.
        most_total_variation: Alarm above it.
    """
    target, draws = environment.target, len(sample)
    found = np.unique(sample)
    best = environment.log_reward >= environment.log_reward.max() - math.log(2.0)
    likely = seen(target, draws)
    expected_unique, least_unique = _bounds(likely)
    expected_modes, least_modes = _bounds(likely[best])
    modes_found = int(best[found].sum())
    distance = total_variation(distribution, target)
    alarms = []
    if len(found) < least_unique:
        alarms.append(f"{len(found)} distinct objects in {draws} draws; at least {least_unique:.1f} were due")
    if modes_found < least_modes:
        alarms.append(f"{modes_found} of {best.sum()} modes found; at least {least_modes:.1f} were due")
    if distance > most_total_variation:
        alarms.append(f"total variation {distance:.3f} is above {most_total_variation:g}")
    return Diversity(
        draws=draws,
        unique=len(found),
        expected_unique=expected_unique,
        least_unique=least_unique,
        modes=int(best.sum()),
        modes_found=modes_found,
        expected_modes=expected_modes,
        least_modes=least_modes,
        l1=l1_distance(distribution, target),
        total_variation=distance,
        jensen_shannon=jensen_shannon_divergence(distribution, target),
        alarms=tuple(alarms),
    )


def _bounds(likely: Real) -> tuple[float, float]:
    """Expectation of a count of objects seen, and a bound below it.

    Whether one object is seen and whether another is are negatively correlated, so that the variance of
    independent binomials, sum of q (1 - q), bounds that of the count.
    """
    expectation = float(likely.sum())
    return expectation, expectation - DEVIATIONS * math.sqrt(float((likely * (1.0 - likely)).sum()))
