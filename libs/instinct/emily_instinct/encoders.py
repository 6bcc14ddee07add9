"""From readings to hypervectors: records, n-grams, random Fourier features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emily_instinct import basis, bipolar, hypervector
from emily_instinct.errors import InstinctError
from emily_instinct.hypervector import Packed


@dataclass(frozen=True)
class RecordEncoder:
    """A record of fields, each bound to its level and bundled (Rahimi et al. 2016).

    Attributes:
        bound: `(fields, levels, D)` int8 of -1 and +1: each field's key bound to each level beforehand.
        low, high: Range of readings; those outside count as the end levels.
    """

    bound: NDArray[np.int8]
    low: float
    high: float

    @classmethod
    def create(
        cls, *, fields: int, levels: int, low: float, high: float, dimension: int, rng: np.random.Generator
    ) -> RecordEncoder:
        """An encoder with random keys.

        Raises:
            InstinctError: high is not above low, or a size is too small.
        """
        if not high > low:
            raise InstinctError(f"high: {high} is not above low {low}")
        keys = hypervector.random(fields, dimension, rng)
        scale = basis.level(levels, dimension, rng)
        bits = hypervector.unpack(hypervector.bind(keys[:, None, :], scale[None, :, :]), dimension)
        return cls(bound=(bits.astype(np.int8) * 2 - 1), low=low, high=high)

    @property
    def dimension(self) -> int:
        """In bits."""
        return int(self.bound.shape[2])

    def accumulate(self, fields: NDArray[np.intp], readings: NDArray[np.float64]) -> NDArray[np.int64]:
        """Sum `(D,)` of the bound fields: a record of only those that are known."""
        return np.asarray(self.bound[fields, self.quantise(readings)].sum(axis=0, dtype=np.int64))

    def encode(self, readings: NDArray[np.float64]) -> NDArray[np.int64]:
        """`(..., fields)` -> `(..., D)` sums of the whole record."""
        levels = self.quantise(readings)
        total = np.zeros((*levels.shape[:-1], self.dimension), dtype=np.int64)
        for field in range(self.bound.shape[0]):
            total += self.bound[field, levels[..., field]]
        return total

    def quantise(self, readings: NDArray[np.float64]) -> NDArray[np.intp]:
        """The nearest level of each reading.

        Raises:
            InstinctError: A reading is not finite.
        """
        if not np.isfinite(readings).all():
            raise InstinctError("readings: every one must be finite")
        last = self.bound.shape[1] - 1
        scaled = np.rint((np.asarray(readings) - self.low) / (self.high - self.low) * last)
        return np.asarray(np.clip(scaled, 0, last), dtype=np.intp)


@dataclass(frozen=True)
class FourierEncoder:
    """Random Fourier features: similarity follows a Gaussian kernel (Rahimi & Recht 2007).

    Attributes:
        weights: `(inputs, D)`.
        phases: `(D,)` in [0, 2 pi).
    """

    weights: NDArray[np.float64]
    phases: NDArray[np.float64]

    @classmethod
    def create(
        cls, *, inputs: int, dimension: int, bandwidth: float, rng: np.random.Generator
    ) -> FourierEncoder:
        """An encoder whose kernel falls to 0.6 at a distance of `bandwidth`."""
        if not bandwidth > 0:
            raise InstinctError(f"bandwidth: {bandwidth} is not above 0")
        return cls(
            weights=rng.normal(0.0, 1.0 / bandwidth, size=(inputs, dimension)),
            phases=rng.uniform(0.0, 2.0 * np.pi, size=dimension),
        )

    def encode(self, readings: NDArray[np.float64]) -> NDArray[np.float64]:
        """`(..., inputs)` -> `(..., D)` in [-1, 1]."""
        return np.asarray(np.cos(readings @ self.weights + self.phases))


@dataclass(frozen=True)
class NgramEncoder:
    """Windows of n symbols in their order, bundled: texts with like windows are alike.

    Attributes:
        symbols: `(256, D)` of -1 and +1, one for each byte.
        n: Length of a window.
    """

    symbols: NDArray[np.float64]
    n: int

    @classmethod
    def create(cls, *, dimension: int, n: int, rng: np.random.Generator) -> NgramEncoder:
        """An encoder with random symbols."""
        if n < 1:
            raise InstinctError(f"n: {n} is below 1")
        return cls(symbols=bipolar.random(256, dimension, rng), n=n)

    def encode(self, text: str) -> NDArray[np.float64]:
        """`(D,)` sum over the windows of the text's UTF-8 bytes; a shorter text is one window."""
        octets = np.frombuffer(text.encode(), dtype=np.uint8)
        if not len(octets):
            raise InstinctError("text: an empty text has no n-gram")
        return bipolar.ngrams(self.symbols[octets], min(self.n, len(octets)))


def binarise(sums: NDArray[np.float64] | NDArray[np.int64]) -> Packed:
    """Signs as a packed hypervector; 0 counts as positive."""
    return hypervector.pack(np.asarray(sums) >= 0)
