"""Evidence against a probability, by a mixture of likelihood ratios that is valid at every sample size.

For coin flips of probability p, the ratio of the likelihood averaged over Beta(1/2, 1/2) to that of p is a
martingale that starts at 1: it ever exceeds 1/alpha with probability of at most alpha.

Source: Robbins 1970, Statistical methods related to the law of the iterated logarithm, Ann. Math. Statist.
41(5); as mixture SPRT for tests that are peeked at: Johari, Koomen, Pekelis & Walsh 2017, Peeking at A/B
tests, KDD; confidence sequences: Howard, Ramdas, McAuliffe & Sekhon 2021, Time-uniform, nonparametric,
nonasymptotic confidence sequences, Ann. Statist. 49(2).
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

TINY = 1e-12
"""Probabilities are kept so far from 0 and 1, where the likelihood of what was seen would be none."""
_STEPS = 60
_LOG_PI = math.log(math.pi)


def log_evidence(successes: int, trials: int, probability: float) -> float:
    """Log of the martingale against `probability`; 0 before the first trial.

    Args:
        successes: How often it happened, 0..trials.
        trials: How often it could have.
        probability: Against which.
    """
    inside = min(1 - TINY, max(TINY, probability))
    failures = trials - successes
    mixed = math.lgamma(successes + 0.5) + math.lgamma(failures + 0.5) - math.lgamma(trials + 1)
    return mixed - _LOG_PI - successes * math.log(inside) - failures * math.log1p(-inside)


def log_evidence_below(successes: int, trials: int, probability: float) -> float:
    """Log evidence that the true one is below `probability`: the least against any that is not."""
    return log_evidence(successes, trials, max(probability, successes / max(1, trials)))


def log_evidence_above(successes: int, trials: int, probability: float) -> float:
    """Log evidence that the true one is above `probability`: the least against any that is not."""
    return log_evidence(successes, trials, min(probability, successes / max(1, trials)))


def log_evidences_below(successes: Counts, trials: int, probability: float) -> Array:
    """`log_evidence_below` for `(N,)` counts at once."""
    return _log_evidences(successes, trials, np.maximum(probability, successes / max(1, trials)))


def log_evidences_above(successes: Counts, trials: int, probability: float) -> Array:
    """`log_evidence_above` for `(N,)` counts at once."""
    return _log_evidences(successes, trials, np.minimum(probability, successes / max(1, trials)))


def interval(successes: int, trials: int, alpha: float) -> tuple[float, float]:
    """Probabilities that are not ruled out: they hold the true one, at all times at once, but for `alpha`."""
    if trials == 0:
        return 0.0, 1.0
    needed, middle = math.log(1 / alpha), successes / trials

    def outermost(end: float) -> float:
        if log_evidence(successes, trials, end) < needed:
            return end
        inside, outside = middle, end
        for _ in range(_STEPS):
            between = (inside + outside) / 2
            if log_evidence(successes, trials, between) < needed:
                inside = between
            else:
                outside = between
        return outside

    return outermost(0.0), outermost(1.0)


def _log_evidences(successes: Counts, trials: int, probabilities: Array) -> Array:
    table, inside = _log_gamma_of_halves(_size(trials)), np.clip(probabilities, TINY, 1 - TINY)
    failures = trials - successes
    mixed = table[successes] + table[failures] - math.lgamma(trials + 1) - _LOG_PI
    return np.asarray(mixed - successes * np.log(inside) - failures * np.log1p(-inside))


def _size(trials: int) -> int:
    """The next power of two: few tables serve all sample sizes."""
    return 1 << max(10, (trials + 1).bit_length())


@cache
def _log_gamma_of_halves(size: int) -> Array:
    """`(size,)` log gamma of i + 1/2."""
    steps = np.log(np.arange(size - 1) + 0.5)
    return np.concatenate([[0.0], np.cumsum(steps)]) + math.lgamma(0.5)
