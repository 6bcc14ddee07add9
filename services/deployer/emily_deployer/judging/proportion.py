"""How much more often something happens in one stream than in another.

Two independent streams have two martingales, and their product is one: against a pair of probabilities. The
evidence against a whole set of pairs, such as all with a difference of at most 0.5 %, is the least against
any of them. It is convex in the pair, so the least is found by halving.
"""

from __future__ import annotations

import msgspec

from emily_deployer.judging.mixture import TINY, log_evidence

_STEPS = 48
_GOLDEN = (5**0.5 - 1) / 2


class Proportion(msgspec.Struct, frozen=True, kw_only=True):
    """How often something happened.

    Raises:
        ValueError: It happened more often than it could have.
    """

    happened: int = 0
    trials: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.happened <= self.trials:
            raise ValueError(f"happened: {self.happened} is not in 0..{self.trials}, the trials")

    @property
    def share(self) -> float:
        """Of the trials; 0 before the first."""
        return self.happened / self.trials if self.trials else 0.0


def log_evidence_of_excess(more: Proportion, less: Proportion, bound: float) -> float:
    """Log evidence that `more` is more likely than `less` by more than `bound`.

    Args:
        more, less: Two independent streams.
        bound: Of the difference of the two probabilities, in -1..1.

    Source: the product of two mixtures, minimised over the pairs with a difference of at most `bound`.
    """
    if more.share - less.share <= bound:
        return _against(more, more.share) + _against(less, less.share)
    low, high = max(TINY, TINY - bound), min(1 - TINY, 1 - TINY - bound)
    if low >= high:
        return _against(more, low + bound) + _against(less, low)

    def against(probability: float) -> float:
        return _against(more, probability + bound) + _against(less, probability)

    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = against(left), against(right)
    for _ in range(_STEPS):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = against(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = against(right)
    return min(at_left, at_right)


def _against(seen: Proportion, probability: float) -> float:
    return log_evidence(seen.happened, seen.trials, probability)
