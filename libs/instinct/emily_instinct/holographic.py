"""Holographic reduced representations: real (Plate 1995) and in the frequency domain (FHRR).

Shapes: a real hypervector is `(D,)` float64, a phasor `(D,)` complex128 of modulus 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]
Phasor = NDArray[np.complex128]


def random(count: int, dimension: int, rng: np.random.Generator) -> Real:
    """`(count, D)` of independent normals with variance 1/D, so that norms are near 1."""
    return rng.normal(0.0, dimension**-0.5, size=(count, dimension))


def bind(first: Real, second: Real) -> Real:
    """Circular convolution (Plate 1995, eq. 1)."""
    return np.fft.irfft(np.fft.rfft(first) * np.fft.rfft(second), n=first.shape[-1])


def inverse(vector: Real) -> Real:
    """The involution: undoes a binding up to noise, stably (Plate 1995, section II-B)."""
    return np.roll(vector[..., ::-1], 1, axis=-1)


def permute(vector: Real, shifts: int) -> Real:
    """Rotate by `shifts` places towards higher indices."""
    return np.roll(vector, shifts, axis=-1)


def cosine_similarity(first: Real, others: Real) -> Real:
    """Cosine with one or a stack of others."""
    return np.asarray(others @ first) / (np.linalg.norm(first) * np.linalg.norm(others, axis=-1))


def random_phasors(count: int, dimension: int, rng: np.random.Generator) -> Phasor:
    """`(count, D)` of uniformly drawn phases."""
    return np.exp(1j * rng.uniform(-np.pi, np.pi, size=(count, dimension)))


def bind_phasors(first: Phasor, second: Phasor) -> Phasor:
    """Sum of the phases: exact, undone by `inverse_phasor`."""
    return first * second


def inverse_phasor(vector: Phasor) -> Phasor:
    """The conjugate."""
    return vector.conj()


def phasor_dot_similarity(first: Phasor, others: Phasor) -> Real:
    """Real part of the inner product with one or a stack of others."""
    return np.asarray((others @ first.conj()).real)


def phasor_cosine_similarity(first: Phasor, others: Phasor) -> Real:
    """The same over the norms."""
    return phasor_dot_similarity(first, others) / (np.linalg.norm(first) * np.linalg.norm(others, axis=-1))
