"""Exactly what a sampler's distribution is, and how far it is from another.

Distributions are (X,) probabilities of the objects.
"""

from __future__ import annotations

import numpy as np

from emily_cognition.gflownet.graph import Graph, Real

_TINY = float(np.finfo(np.float64).tiny)


def terminating_distribution(graph: Graph, forward: Real) -> Real:
    """(X,) the probability with which walks end in each object, by dynamic programming over the graph.

    Args:
        graph: Of the objects.
        forward: (N, A) P_F, 0 where an action is not legal.
    """
    reach = np.zeros(graph.states + 1)
    reach[0] = 1.0
    for level in graph.levels:
        passed = reach[level, None] * forward[level]
        onwards = graph.onwards[level]
        reach += np.bincount(onwards.ravel(), passed.ravel(), minlength=len(reach))
    ending = forward[graph.objects, -1]
    return np.asarray(reach[graph.objects] * ending)


def l1_distance(p: Real, q: Real) -> float:
    """sum |p - q|, in [0, 2]."""
    return float(np.abs(p - q).sum())


def total_variation(p: Real, q: Real) -> float:
    """Half the L1 distance, in [0, 1]."""
    return l1_distance(p, q) / 2.0


def jensen_shannon_divergence(p: Real, q: Real) -> float:
    """In nats, from 0 to log 2."""
    middle = (p + q) / 2.0
    return (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2.0


def expected_unique(p: Real, draws: int) -> float:
    """How many distinct objects a sampler of p shows in so many draws: sum of 1 - (1 - p)^draws."""
    return float(seen(p, draws).sum())


def seen(p: Real, draws: int) -> Real:
    """(X,) the probability that each object is among so many draws."""
    return np.asarray(-np.expm1(draws * np.log1p(-np.minimum(p, 1.0 - 2.0**-53))))


def _relative_entropy(p: Real, q: Real) -> float:
    return float(np.sum(p * np.log(np.maximum(p, _TINY) / np.maximum(q, _TINY))))
