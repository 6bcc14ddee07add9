"""The sentences that say most of a whole: taken as they stand, never written anew."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

LONGEST = 1000
"""Characters of a sentence that may be chosen."""
ALIKE = 0.97
"""Cosine from which two sentences say the same."""

_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|[\r\n]+")


def sentences(texts: Iterable[str]) -> list[str]:
    """Of all texts in their order, each once; without those that are too long or have no letter."""
    parts = (part.strip() for text in texts for part in _END.split(text))
    fit = (part for part in parts if len(part) <= LONGEST and any(map(str.isalnum, part)))
    return list(dict.fromkeys(fit))


def central(vectors: NDArray[np.float32], count: int) -> Sequence[int]:
    """The rows that are nearest in direction to the mean of all, none like another, in the order of the rows.

    The centrality of a row is its cosine with the centroid, which is its mean similarity to all rows up to a
    factor (Radev et al. 2004, "Centroid-based summarization of multiple documents").

    Args:
        vectors: (n, dimension) unit vectors.
        count: Of rows, at most.
    """
    chosen: list[int] = []
    for row in np.argsort(-(vectors @ vectors.sum(axis=0)), kind="stable"):
        if len(chosen) == count:
            break
        if not chosen or (vectors[chosen] @ vectors[row]).max() < ALIKE:
            chosen.append(int(row))
    return sorted(chosen)
