"""From readings to hypervectors: records, random Fourier features, n-grams.

An encoder gives `(D,)` real sums; `hypervector.pack_signs` makes them binary.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from emily_instinct import basis, bipolar, hypervector
from emily_instinct.errors import InstinctError
from emily_instinct.hypervector import Packed

Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RecordEncoder:
    """A record of fields, each bound to its level and bundled (Rahimi et al. 2016).

    A record may be partial: fields that are unknown are left out.

    Attributes:
        keys: `(fields, words)`, one hypervector for each field.
        scale: `(levels, words)`, neighbours alike.
        dimension: In bits.
        low, high: Range of readings; those outside count as the end levels.

    Raises:
        InstinctError: high is not above low, or the shapes do not fit the dimension.
    """

    keys: Packed
    scale: Packed
    dimension: int
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.high > self.low:
            raise InstinctError(f"high: {self.high} is not above low {self.low}")
        widths = (self.keys.shape[-1], self.scale.shape[-1])
        if widths != (hypervector.words(self.dimension),) * 2:
            raise InstinctError(f"keys, scale: {widths} words, but dimension {self.dimension} needs others")

    @classmethod
    def create(
        cls, *, fields: int, levels: int, low: float, high: float, dimension: int, rng: np.random.Generator
    ) -> RecordEncoder:
        """An encoder with random keys."""
        keys = hypervector.random(fields, dimension, rng)
        return cls(
            keys=keys, scale=basis.level(levels, dimension, rng), dimension=dimension, low=low, high=high
        )

    def encode(self, readings: Real) -> Real:
        """`(..., fields)` -> `(..., D)` sums of the whole record.

        Raises:
            InstinctError: A reading is missing or not finite.
        """
        _require_fields(readings, len(self.keys))
        levels = self._quantise(readings)
        total = np.zeros((*levels.shape[:-1], self.dimension), dtype=np.int32)
        for field, bound in enumerate(self._bound):
            total += bound[levels[..., field]]
        return total.astype(np.float64)

    def encode_some(self, fields: NDArray[np.intp], readings: Real) -> Real:
        """`(n,)` fields and their readings -> `(D,)` sum of those alone.

        Raises:
            InstinctError: A reading is not finite.
        """
        bound = self._bound[fields, self._quantise(readings)]
        return bound.sum(axis=0, dtype=np.min_scalar_type(-len(bound) - 1)).astype(np.float64)

    def _quantise(self, readings: Real) -> NDArray[np.intp]:
        _require_finite(readings)
        last = len(self.scale) - 1
        scaled = np.rint((np.asarray(readings) - self.low) / (self.high - self.low) * last)
        return np.clip(scaled, 0, last).astype(np.intp)

    @cached_property
    def _bound(self) -> NDArray[np.int8]:
        """`(fields, levels, D)` of -1 and +1: each key bound to each level beforehand."""
        bound = hypervector.bind(self.keys[:, None, :], self.scale[None, :, :])
        return hypervector.unpack(bound, self.dimension).astype(np.int8) * np.int8(2) - np.int8(1)


@dataclass(frozen=True, eq=False)
class FourierEncoder:
    """Random Fourier features: similarity follows a Gaussian kernel (Rahimi & Recht 2007).

    Attributes:
        weights: `(inputs, D)`.
        phases: `(D,)` in [0, 2 pi).

    Raises:
        InstinctError: The shapes do not fit each other.
    """

    weights: Real
    phases: Real

    def __post_init__(self) -> None:
        if self.weights.ndim != 2 or self.phases.shape != self.weights.shape[1:]:
            raise InstinctError(f"phases: {self.phases.shape} do not fit weights {self.weights.shape}")

    @classmethod
    def create(
        cls, *, inputs: int, dimension: int, bandwidth: float, rng: np.random.Generator
    ) -> FourierEncoder:
        """An encoder whose kernel falls to exp(-1/2) at a distance of `bandwidth`.

        Raises:
            InstinctError: The bandwidth is not above 0.
        """
        if not bandwidth > 0:
            raise InstinctError(f"bandwidth: {bandwidth} is not above 0")
        return cls(
            weights=rng.normal(0.0, 1.0 / bandwidth, size=(inputs, dimension)),
            phases=rng.uniform(0.0, 2.0 * np.pi, size=dimension),
        )

    @property
    def dimension(self) -> int:
        """D."""
        return len(self.phases)

    def encode(self, readings: Real) -> Real:
        """`(..., inputs)` -> `(..., D)` in [-1, 1].

        Raises:
            InstinctError: A reading is missing or not finite.
        """
        _require_fields(readings, len(self.weights))
        _require_finite(readings)
        return np.cos(readings @ self.weights + self.phases)


@dataclass(frozen=True, eq=False)
class NgramEncoder:
    """Windows of n bytes in their order, bundled: texts with like windows are alike (Rahimi et al. 2016).

    Attributes:
        symbols: `(256, D)` of -1 and +1, one for each byte.
        n: Length of a window.

    Raises:
        InstinctError: n is below 1.
    """

    symbols: Real
    n: int

    def __post_init__(self) -> None:
        if self.n < 1:
            raise InstinctError(f"n: {self.n} is below 1")

    @classmethod
    def create(cls, *, dimension: int, n: int, rng: np.random.Generator) -> NgramEncoder:
        """An encoder with random symbols."""
        return cls(symbols=bipolar.random(256, dimension, rng), n=n)

    def encode(self, text: str) -> Real:
        """`(D,)` sum over the windows of the text's UTF-8 bytes; a shorter text is one window.

        Raises:
            InstinctError: The text is empty.
        """
        octets = np.frombuffer(text.encode(), dtype=np.uint8)
        if not len(octets):
            raise InstinctError("text: an empty text has no n-gram")
        return bipolar.ngrams(self.symbols[octets], min(self.n, len(octets)))


def _require_fields(readings: Real, count: int) -> None:
    if readings.shape[-1] != count:
        raise InstinctError(f"readings: {readings.shape[-1]} given, the encoder has {count} fields")


def _require_finite(readings: Real) -> None:
    if not np.isfinite(readings).all():
        raise InstinctError("readings: every one must be finite")
