"""Holographic reduced representations in float64 (HRR; Plate 1995).

Shapes: a hypervector is `(D,)`, a stack `(n, D)`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emily_instinct.bipolar import bundle, cosine_similarity, dot_similarity, permute

__all__ = ["bind", "bundle", "cosine_similarity", "dot_similarity", "inverse", "permute", "random"]

Real = NDArray[np.float64]


def random(count: int, dimension: int, rng: np.random.Generator) -> Real:
    """`(count, D)` of independent normals with variance 1/D, so that norms are near 1."""
    return rng.normal(0.0, dimension**-0.5, size=(count, dimension))


def bind(first: Real, second: Real) -> Real:
    """Circular convolution."""
    return np.fft.irfft(np.fft.rfft(first) * np.fft.rfft(second), n=first.shape[-1])


def inverse(vector: Real) -> Real:
    """The involution: undoes a binding up to noise, and never blows up as the exact inverse can."""
    return np.roll(vector[..., ::-1], 1, axis=-1)
