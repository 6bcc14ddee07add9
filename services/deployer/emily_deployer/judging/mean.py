"""The mean of bounded readings, within bounds that hold at every sample size.

Each reading bets on the mean being elsewhere, with a stake that was fixed before it came; the variance that
was seen decides how narrow the bounds are.

Source: the empirical-Bernstein confidence sequences of Howard, Ramdas, McAuliffe & Sekhon 2021, section 3.2,
with the predictable stakes of Waudby-Smith & Ramdas 2024, Estimating means of bounded random variables by
betting, JRSS B 86(1), theorem 2.
"""

from __future__ import annotations

import math

HIGHEST_STAKE = 0.5
_PRIOR_VARIANCE = 0.25


class BoundedMean:
    """The running mean of readings in [low, high]; what lies outside is clipped.

    Args:
        low, high: Of the readings.
        alpha: Of each of the two bounds: the lower one and the upper one each err with this probability at
            most.

    Attributes:
        trials: How many readings there are.

    Raises:
        ValueError: There is nothing between `low` and `high`, or `alpha` is no probability.
    """

    def __init__(self, low: float, high: float, *, alpha: float) -> None:
        if not low < high:
            raise ValueError(f"high: {high} is not above low, {low}")
        if not 0 < alpha < 1:
            raise ValueError(f"alpha: {alpha} is not between 0 and 1")
        self.trials = 0
        self._low, self._width, self._needed = low, high - low, math.log(1 / alpha)
        self._sum = 0.0
        self._squares = 0.0
        self._stakes = 0.0
        self._staked = 0.0
        self._spent = 0.0

    def add(self, *readings: float) -> None:
        """Take readings in, in their order."""
        for reading in readings:
            scaled = min(1.0, max(0.0, (reading - self._low) / self._width))
            stake = self._stake()
            centre = (0.5 + self._sum) / (1 + self.trials)
            self._stakes += stake
            self._staked += stake * scaled
            self._spent += (scaled - centre) ** 2 * (-math.log1p(-stake) - stake)
            self._sum += scaled
            self.trials += 1
            self._squares += (scaled - (0.5 + self._sum) / (1 + self.trials)) ** 2

    @property
    def mean(self) -> float:
        """Of the readings, clipped; the middle before the first."""
        return self._low + self._width * (self._sum / self.trials if self.trials else 0.5)

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which the true mean is."""
        if not self.trials:
            return self._low, self._low + self._width
        centre = self._staked / self._stakes
        radius = (self._needed + self._spent) / self._stakes
        return (
            self._low + self._width * max(0.0, centre - radius),
            self._low + self._width * min(1.0, centre + radius),
        )

    def _stake(self) -> float:
        """Follows from what came before alone."""
        variance = (_PRIOR_VARIANCE + self._squares) / (1 + self.trials)
        count = self.trials + 1
        return min(HIGHEST_STAKE, math.sqrt(2 * self._needed / (variance * count * math.log(1 + count))))
