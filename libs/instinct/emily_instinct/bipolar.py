"""Bipolar hypervectors in float64 (multiply-add-permute; Gayler 2003): the form that is trained.

Shapes: a hypervector is `(D,)`, a sequence `(n, D)`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emily_instinct.errors import InstinctError

Real = NDArray[np.float64]


def random(count: int, dimension: int, rng: np.random.Generator) -> Real:
    """`(count, D)` of -1 and +1."""
    return rng.integers(0, 2, size=(count, dimension)).astype(np.float64) * 2.0 - 1.0


def bind(first: Real, second: Real) -> Real:
    """Elementwise product: associates; its own inverse for -1 and +1."""
    return first * second


def inverse(vector: Real) -> Real:
    """The hypervector that undoes a binding with it: itself."""
    return vector.copy()


def bundle(sequence: Real) -> Real:
    """Sum of `(n, D)`: similar to each of them."""
    return np.asarray(sequence.sum(axis=0))


def permute(vector: Real, shifts: int) -> Real:
    """Rotate by `shifts` places towards higher indices."""
    return np.roll(vector, shifts, axis=-1)


def ngrams(sequence: Real, n: int) -> Real:
    """Sum over all windows of n of the bound window, its i-th element permuted n-1-i times.

    Raises:
        InstinctError: n is below 1 or above the sequence's length.
    """
    if not 1 <= n <= len(sequence):
        raise InstinctError(f"n: {n} is not in 1..{len(sequence)}, the length of the sequence")
    windows = len(sequence) - n + 1
    bound = np.ones((windows, sequence.shape[-1]))
    for i in range(n):
        bound *= permute(sequence[i : i + windows], n - 1 - i)
    return bundle(bound)


def bundle_sequence(sequence: Real) -> Real:
    """Sum of `(n, D)`, its i-th element permuted n-1-i times: an ordered set."""
    return bundle(_positioned(sequence))


def bind_sequence(sequence: Real) -> Real:
    """Product of `(n, D)`, its i-th element permuted n-1-i times: a whole in its order."""
    return np.asarray(_positioned(sequence).prod(axis=0))


def dot_similarity(first: Real, others: Real) -> Real:
    """Dot product with one or a stack of others."""
    return np.asarray(others @ first)


def cosine_similarity(first: Real, others: Real) -> Real:
    """Cosine with one or a stack of others; 0 for a zero vector."""
    norms = np.asarray(np.linalg.norm(first) * np.linalg.norm(others, axis=-1))
    return np.divide(others @ first, norms, out=np.zeros_like(norms), where=norms > 0)


def _positioned(sequence: Real) -> Real:
    return np.stack([permute(vector, len(sequence) - 1 - i) for i, vector in enumerate(sequence)])
