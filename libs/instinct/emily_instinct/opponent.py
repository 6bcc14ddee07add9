"""A response that calls up its own opponent (Solomon & Corbit 1974), integrated exactly.

The primary a follows its input u, the opponent b follows k a more slowly, and what is felt is a - b:

    tau_a a' = u - a        tau_b b' = k a - b

A constant input gives a rise, a plateau of (1 - k) u, and an after-reaction of the opposite sign when it
ends. For constant u the equations are solved in closed form, so that one long step equals many short ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from emily_instinct.errors import InstinctError


@dataclass(frozen=True)
class Response:
    """State of an opponent process.

    Attributes:
        primary: a.
        opponent: b.
    """

    primary: float = 0.0
    opponent: float = 0.0

    @property
    def net(self) -> float:
        """What is felt, a - b."""
        return self.primary - self.opponent


@dataclass(frozen=True)
class OpponentProcess:
    """Constants of an opponent process.

    Attributes:
        tau_a, tau_b: Time constants of primary and opponent in seconds, above 0.
        k: Strength of the opponent, >= 0; above 1 a lasting response turns into its opposite (Koob & Le Moal
            2001).

    Raises:
        InstinctError: A constant is out of its range.
    """

    tau_a: float
    tau_b: float
    k: float

    def __post_init__(self) -> None:
        if not (self.tau_a > 0 and self.tau_b > 0):
            raise InstinctError(f"tau_a, tau_b: {self.tau_a}, {self.tau_b} must be above 0")
        if not 0 <= self.k < math.inf:
            raise InstinctError(f"k: {self.k} is not finite and at or above 0")

    def step(self, response: Response, dt: float, u: float) -> Response:
        """The response after `dt` seconds, >= 0, of constant input u."""
        fast, slow = math.exp(-dt / self.tau_a), math.exp(-dt / self.tau_b)
        away = response.primary - u
        plateau = self.k * u
        echo = self.k * away * self._transfer(dt)
        return Response(
            primary=u + away * fast, opponent=plateau + (response.opponent - plateau) * slow + echo
        )

    def effort(self, response: Response, dt: float, u: float, forgetting: float) -> float:
        """Integral of a^2 over `dt` seconds of constant input u, forgotten with a time constant.

        Each moment s of [0, dt] counts by exp(-(dt - s) / forgetting).
        """
        away, rate, leak = response.primary - u, 1.0 / self.tau_a, 1.0 / forgetting
        return (
            u * u * _faded(0.0, leak, dt)
            + 2.0 * u * away * _faded(rate, leak, dt)
            + away * away * _faded(2.0 * rate, leak, dt)
        )

    def _transfer(self, dt: float) -> float:
        """How much of a decaying primary is in the opponent: 0 at first, 0 at last."""
        return _faded(1.0 / self.tau_a, 1.0 / self.tau_b, dt) / self.tau_b


def _faded(rate: float, leak: float, dt: float) -> float:
    """Integral of exp(-rate s) exp(-leak (dt - s)) over s in [0, dt]."""
    low, gap = min(rate, leak), abs(rate - leak)
    if gap * dt == 0.0:
        return dt * math.exp(-low * dt)
    return -math.exp(-low * dt) * math.expm1(-gap * dt) / gap
