"""Logarithms, softmax and the digamma function as the rest needs them, in NumPy alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]

SMALLEST = float(np.finfo(np.float64).eps)
"""Probabilities are clipped here before a logarithm, as pymdp does."""

_ASYMPTOTIC_FROM = 10.0
_BERNOULLI = (-1 / 12, 1 / 120, -1 / 252, 1 / 240, -1 / 132, 691 / 32760, -1 / 12)


def log(probabilities: Real) -> Real:
    """Natural logarithm, clipped below at machine epsilon."""
    return np.asarray(np.log(np.maximum(probabilities, SMALLEST)))


def softmax(logits: Real, axis: int = -1) -> Real:
    """Normalised exponentials along an axis."""
    shifted = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=axis, keepdims=True))


def entropy(probabilities: Real, axis: int = -1) -> Real:
    """Shannon entropy in nats along an axis; 0 log 0 is 0."""
    return np.asarray(-(probabilities * log(probabilities)).sum(axis=axis))


def log_sum_exp(logits: Real, axis: int = -1) -> Real:
    """Logarithm of the sum of exponentials along an axis."""
    top = logits.max(axis=axis, keepdims=True)
    return np.asarray(np.log(np.exp(logits - top).sum(axis=axis)) + top.squeeze(axis))


def digamma(x: Real) -> Real:
    """Derivative of the log-gamma function for x > 0.

    Source: recurrence to x >= 10 and the asymptotic series (Abramowitz & Stegun 6.3.5, 6.3.18).
    """
    value = np.array(x, dtype=np.float64)
    shift = np.zeros_like(value)
    for _ in range(int(_ASYMPTOTIC_FROM)):
        small = value < _ASYMPTOTIC_FROM
        if not small.any():
            break
        shift = np.where(small, shift - 1.0 / value, shift)
        value = np.where(small, value + 1.0, value)
    inverse = 1.0 / (value * value)
    series = np.zeros_like(value)
    for coefficient in reversed(_BERNOULLI):
        series = inverse * (coefficient + series)
    return np.asarray(shift + np.log(value) - 0.5 / value + series)


def dirichlet_novelty(counts: Real) -> Real:
    """Expected information about the parameters of Dirichlet counts from one more outcome of each kind.

    Of the same shape, in nats, 0 or more, less the more counts there are; 0 at structural zeros.
    Source: Da Costa et al. 2020, eq. D.15, with the recurrence of the digamma function so that small counts
    don't cancel.
    """
    total = np.maximum(counts.sum(axis=0), SMALLEST)
    some = np.maximum(counts, SMALLEST)
    gained = np.log(total) - np.log(some) + digamma(some + 1.0) - digamma(total + 1.0)
    return np.asarray(np.where(counts > 0, gained, 0.0))


def outer(*vectors: Real) -> Real:
    """Outer product of vectors, in their order."""
    product = vectors[0]
    for vector in vectors[1:]:
        product = product[..., None] * vector
    return product


def contract(tensor: Real, vectors: dict[int, Real]) -> Real:
    """Sum a tensor against a vector on each of the given axes; the other axes stay in order."""
    for axis in sorted(vectors, reverse=True):
        tensor = np.tensordot(tensor, vectors[axis], axes=(axis, 0))
    return np.asarray(tensor)
