"""A memory of named hypervectors that recognises and cleans up a noisy one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

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


@dataclass(frozen=True, eq=False)
class ItemMemory:
    """Named packed hypervectors; a name may have several.

    Attributes:
        labels: n names.
        items: `(n, words)`.
        dimension: In bits.

    Raises:
        InstinctError: There is no item, or the shapes do not fit each other.
    """

    labels: tuple[str, ...]
    items: Packed
    dimension: int

    def __post_init__(self) -> None:
        if not self.labels:
            raise InstinctError("labels: an item memory holds at least one item")
        expected = (len(self.labels), hypervector.words(self.dimension))
        if self.items.shape != expected:
            raise InstinctError(f"items: shape {self.items.shape}, but labels and dimension need {expected}")

    def similarities(self, query: Packed) -> NDArray[np.float64]:
        """`(n,)` shares of equal dimensions with a query `(words,)`."""
        return 1.0 - hypervector.distance(self.items, query) / self.dimension

    def match(self, query: Packed) -> Match:
        """The nearest item to a query `(words,)`; ties go to the first."""
        similarities = self.similarities(query)
        best = int(np.argmax(similarities))
        similarity = float(similarities[best])
        rivals = similarities[self._names != self._names[best]]
        margin = similarity - float(rivals.max(initial=0.0))
        return Match(label=self.labels[best], similarity=similarity, margin=margin, novelty=1.0 - similarity)

    def cleanup(self, query: Packed) -> Packed:
        """The nearest item itself, `(words,)`."""
        nearest: Packed = self.items[int(np.argmin(hypervector.distance(self.items, query)))]
        return nearest.copy()

    @cached_property
    def _names(self) -> NDArray[np.intp]:
        """`(n,)` a number for each name, as numbers compare faster."""
        return np.unique(self.labels, return_inverse=True)[1]
