"""How much slower one stream is than another, at a quantile.

Latencies are counted in buckets that grow by a constant factor. That keeps memory bounded, and loses nothing
of the comparison: rounding up to a bucket commutes with quantiles, and a bound that is a power of the factor
moves one bucket onto another.

For a fixed quantile p, whether a latency is below the true one is a coin flip of probability p. So the
mixture of `mixture.py` bounds quantiles too, and two streams are compared by the product of their
martingales.

Source: Howard & Ramdas 2022, Sequential estimation of quantiles with applications to A/B testing and
best-arm identification, Bernoulli 28(3).
"""

from __future__ import annotations

import math

import numpy as np

from emily_deployer.judging.mixture import Counts, log_evidences_above, log_evidences_below

FACTOR = 1.02
"""Of one bucket to the next: latencies are known to 2 %."""
SHORTEST_S = 1e-5
LONGEST_S = 600.0
BUCKETS = math.ceil(math.log(LONGEST_S / SHORTEST_S) / math.log(FACTOR)) + 1


class Latencies:
    """Latencies in seconds, counted.

    Attributes:
        counts: `(BUCKETS,)` how many fell into each bucket.
        trials: How many there are.
    """

    def __init__(self) -> None:
        self.counts: Counts = np.zeros(BUCKETS, dtype=np.int64)
        self.trials = 0

    def add(self, *seconds: float) -> None:
        """Count latencies; what is shorter or longer than any bucket goes to the first or last."""
        inside = np.clip(seconds, SHORTEST_S, LONGEST_S)
        places = np.ceil(np.log(inside / SHORTEST_S) / math.log(FACTOR) - 1e-9).astype(np.int64)
        np.add.at(self.counts, places, 1)
        self.trials += len(seconds)

    def quantile(self, share: float) -> float:
        """The latency in seconds that this share does not exceed, rounded up to a bucket; 0 without any."""
        if not self.trials:
            return 0.0
        place = int(np.searchsorted(np.cumsum(self.counts), share * self.trials))
        return SHORTEST_S * FACTOR ** min(place, BUCKETS - 1)


def steps_of(ratio: float) -> int:
    """How many buckets a ratio of latencies is, rounded up."""
    return math.ceil(math.log(ratio) / math.log(FACTOR) - 1e-9)


def log_evidence_of_slowness(slow: Latencies, fast: Latencies, *, share: float, ratio: float) -> float:
    """Log evidence that the quantile of `slow` is more than `ratio` times that of `fast`.

    Args:
        slow, fast: Two independent streams.
        share: Which quantile, such as 0.99.
        ratio: Rounded up to a power of `FACTOR`; below 1 it asks whether `slow` is not that much faster.

    Whatever the true quantile of `fast` is, what lies below it is at most `share` of that stream, and no more
    than `ratio` times it are at least `share` of the other, unless that is slower. The least evidence against
    any place of the true quantile is the evidence.
    """
    steps = steps_of(ratio)
    fast_below = np.concatenate([[0], np.cumsum(fast.counts)[:-1]])
    slow_within = np.cumsum(slow.counts)
    places = np.clip(np.arange(BUCKETS) + steps, -1, BUCKETS - 1)
    moved = np.where(places >= 0, slow_within[places], 0)
    against_slow = log_evidences_below(moved, slow.trials, share)
    against_fast = log_evidences_above(fast_below, fast.trials, share)
    return float((against_slow + against_fast).min())
