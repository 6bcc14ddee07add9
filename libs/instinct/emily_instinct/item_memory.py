"""A memory of named hypervectors that cleans up a noisy one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emily_instinct import hypervector
from emily_instinct.errors import InstinctError
from emily_instinct.hypervector import Packed


@dataclass(frozen=True)
class Match:
    """What a hypervector was recognised as.

    Attributes:
        label: Name of the nearest item.
        similarity: Share of equal dimensions, in [0, 1]; 0.5 is chance.
        margin: Similarity less that of the nearest item of another name, in [0, 1].
        novelty: 1 - similarity.
    """

    label: str
    similarity: float
    margin: float
    novelty: float


@dataclass(frozen=True)
class ItemMemory:
    """Named packed hypervectors; a name may have several.

    Attributes:
        labels: `(n,)` names.
        items: `(n, words)`.
        dimension: In bits.
    """

    labels: tuple[str, ...]
    items: Packed
    dimension: int

    def __post_init__(self) -> None:
        expected = (len(self.labels), hypervector.words(self.dimension))
        if self.items.shape != expected:
            raise InstinctError(f"items: shape {self.items.shape}, but labels and dimension need {expected}")
        if not self.labels:
            raise InstinctError("labels: an item memory holds at least one item")

    def similarities(self, query: Packed) -> NDArray[np.float64]:
        """`(n,)` shares of equal dimensions with a query `(words,)`."""
        return 1.0 - hypervector.distance(self.items, query) / self.dimension

    def match(self, query: Packed) -> Match:
        """The nearest item; ties go to the first."""
        return self._judge(self.similarities(query))

    def match_some(self, query: Packed, known: Packed) -> Match:
        """The nearest item by the dimensions that are set in the mask `known` alone."""
        count = int(np.bitwise_count(known).sum())
        if count == 0:
            raise InstinctError("known: no dimension is known")
        distances = np.bitwise_count((self.items ^ query) & known).sum(axis=-1, dtype=np.int64)
        return self._judge(1.0 - distances / count)

    def cleanup(self, query: Packed) -> Packed:
        """The nearest item itself, `(words,)`."""
        nearest: Packed = self.items[int(np.argmin(hypervector.distance(self.items, query)))]
        return nearest.copy()

    def _judge(self, similarities: NDArray[np.float64]) -> Match:
        best = int(np.argmax(similarities))
        label, similarity = self.labels[best], float(similarities[best])
        others = [
            float(value) for name, value in zip(self.labels, similarities, strict=True) if name != label
        ]
        margin = similarity - max(others, default=0.0)
        return Match(label=label, similarity=similarity, margin=margin, novelty=1.0 - similarity)
