"""The bistable unit behind ignition: a reduced mean field of a recurrent coalition.

    tau x' = -x + sigma(beta (w x + I - theta))

with x the activation in (0, 1) and I the drive. It is bistable iff w beta > 4. Then the low state vanishes
when I rises above the ignition threshold (a saddle-node at x-), and the high state vanishes only when I
falls below the lower extinction threshold (at x+): hysteresis.

    x-/+ = (1 -/+ sqrt(1 - 4 / (w beta))) / 2        I(x) = theta - w x + logit(x) / beta

Source: Dehaene & Changeux 2005 (ignition), Wong & Wang 2006 (reduction to a mean field).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_NEWTON_STEPS = 60
_TOLERANCE = 1e-14


@dataclass(frozen=True)
class Ignition:
    """Constants of a coalition.

    Attributes:
        w: Recurrent excitation.
        beta: Steepness.
        theta: Drive at which an unexcited unit would be half active.
        tau: Time constant in seconds of model time.
    """

    w: float = 1.0
    beta: float = 8.0
    theta: float = 0.5
    tau: float = 0.02

    def __post_init__(self) -> None:
        for name in ("w", "beta", "tau"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: {getattr(self, name)} is not above 0")

    @classmethod
    def at_threshold(cls, threshold: float, *, w: float = 1.0, beta: float = 8.0) -> Ignition:
        """A bistable coalition that ignites above the given drive.

        Raises:
            ValueError: w x beta <= 4, so there is nothing to ignite.
        """
        lower, _ = _turning_points(w, beta)
        return cls(w=w, beta=beta, theta=threshold + w * lower - _logit(lower) / beta)

    @property
    def bistable(self) -> bool:
        """Whether a low and a high state exist together for some drive."""
        return self.w * self.beta > 4.0

    @property
    def ignition_threshold(self) -> float:
        """Drive above which only the high state is left."""
        return self._drive_at(_turning_points(self.w, self.beta)[0])

    @property
    def extinction_threshold(self) -> float:
        """Drive below which only the low state is left."""
        return self._drive_at(_turning_points(self.w, self.beta)[1])

    def low(self, drive: float) -> float:
        """The stable low state; above the ignition threshold, where there is none, the only state."""
        return self._descend(0.0, drive)

    def high(self, drive: float) -> float:
        """The stable high state; below the extinction threshold, where there is none, the only state."""
        return self._descend(1.0, drive)

    def unstable(self, drive: float) -> float:
        """The state between that separates the basins.

        Raises:
            ValueError: The drive is outside the bistable range.
        """
        if not self.extinction_threshold < drive < self.ignition_threshold:
            raise ValueError(f"drive: {drive} is not between the extinction and the ignition threshold")
        lower, upper = _turning_points(self.w, self.beta)
        for _ in range(200):
            middle = (lower + upper) / 2
            if self._drive_at(middle) > drive:
                lower = middle
            else:
                upper = middle
        return (lower + upper) / 2

    def flow(self, x: float, drive: float) -> float:
        """x' in 1/s."""
        return (-x + _sigmoid(self.beta * (self.w * x + drive - self.theta))) / self.tau

    def _drive_at(self, x: float) -> float:
        return self.theta - self.w * x + _logit(x) / self.beta

    def _descend(self, start: float, drive: float) -> float:
        """Fixed-point iteration from an end: monotone, so it stops at the nearest state."""
        x = start
        for _ in range(_NEWTON_STEPS):
            y = _sigmoid(self.beta * (self.w * x + drive - self.theta))
            slope = self.beta * self.w * y * (1.0 - y)
            following = y if slope >= 1.0 else x + (y - x) / (1.0 - slope)
            if abs(following - x) < _TOLERANCE:
                break
            x = following
        return x


def _turning_points(w: float, beta: float) -> tuple[float, float]:
    if w * beta <= 4.0:
        raise ValueError(f"w, beta: {w} x {beta} is not above 4, so the unit is not bistable")
    root = math.sqrt(1.0 - 4.0 / (w * beta))
    return (1.0 - root) / 2.0, (1.0 + root) / 2.0


def _logit(x: float) -> float:
    return math.log(x / (1.0 - x))


def _sigmoid(z: float) -> float:
    return 1.0 / (1.0 + math.exp(-z)) if z >= 0 else math.exp(z) / (1.0 + math.exp(z))
