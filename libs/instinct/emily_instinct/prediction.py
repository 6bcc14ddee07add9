"""Reward prediction by temporal differences: what dopamine reports (Schultz, Dayan & Montague 1997)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from emily_instinct.errors import InstinctError


@dataclass(frozen=True)
class ValueTable:
    """Predicted value of named states.

    Attributes:
        values: (state, value) pairs; 0 where none is given. The least recently learned goes first.
        rate: Learning rate alpha in (0, 1].
        discount: gamma in [0, 1].
        most: States that are kept, at least 1.

    Raises:
        InstinctError: A number is out of its range.
    """

    values: tuple[tuple[str, float], ...] = ()
    rate: float = 0.1
    discount: float = 1.0
    most: int = 256

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1:
            raise InstinctError(f"rate: {self.rate} is not in (0, 1]")
        if not 0 <= self.discount <= 1:
            raise InstinctError(f"discount: {self.discount} is not in [0, 1]")
        if self.most < 1:
            raise InstinctError(f"most: {self.most} is below 1")

    def value(self, state: str | None) -> float:
        """V(state); 0 for an unknown state and beyond the end (`None`)."""
        return dict(self.values).get(state, 0.0) if state is not None else 0.0

    def learn(self, state: str, reward: float, following: str | None) -> tuple[ValueTable, float]:
        """The table after one transition, and delta = r + gamma V(s') - V(s).

        Raises:
            InstinctError: The reward is not finite.
        """
        if not math.isfinite(reward):
            raise InstinctError(f"reward: {reward} is not finite")
        error = reward + self.discount * self.value(following) - self.value(state)
        others = tuple(pair for pair in self.values if pair[0] != state)
        learned = (*others, (state, self.value(state) + self.rate * error))
        return replace(self, values=learned[-self.most :]), error
