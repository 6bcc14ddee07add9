"""Holographic reduced representations in the frequency domain (FHRR; Plate 1995).

Shapes: a hypervector is `(D,)` complex128 of modulus 1, a stack `(n, D)`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Phasor = NDArray[np.complex128]


def random(count: int, dimension: int, rng: np.random.Generator) -> Phasor:
    """`(count, D)` of uniformly drawn phases."""
    return np.exp(1j * rng.uniform(-np.pi, np.pi, size=(count, dimension)))


def bind(first: Phasor, second: Phasor) -> Phasor:
    """Sum of the phases: undone exactly by binding with the inverse."""
    return first * second


def inverse(vector: Phasor) -> Phasor:
    """The conjugate."""
    return vector.conj()


def bundle(stack: Phasor) -> Phasor:
    """Sum of `(n, D)`: similar to each of them; its moduli are no longer 1."""
    return np.asarray(stack.sum(axis=0))


def permute(vector: Phasor, shifts: int) -> Phasor:
    """Rotate by `shifts` places towards higher indices."""
    return np.roll(vector, shifts, axis=-1)


def dot_similarity(first: Phasor, others: Phasor) -> NDArray[np.float64]:
    """Real part of the inner product with one or a stack of others."""
    return np.asarray((others @ first.conj()).real)


def cosine_similarity(first: Phasor, others: Phasor) -> NDArray[np.float64]:
    """The same over the norms; 0 for a zero vector."""
    norms = np.asarray(np.linalg.norm(first) * np.linalg.norm(others, axis=-1))
    return np.divide(dot_similarity(first, others), norms, out=np.zeros_like(norms), where=norms > 0)
