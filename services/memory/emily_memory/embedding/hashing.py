"""Vectors of words without a model: NOT semantic, for when no model can be had.

Signed feature hashing of word 1- and 2-grams (Weinberger et al. 2009, "Feature Hashing for Large Scale
Multitask Learning", eq. 2). Texts are near when they share words; "car" and "automobile" are as far apart as
any two words.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from emily_memory.embedding.pinned import digest
from emily_memory.embedding.reading import readable
from emily_memory.embedding.space import Space
from emily_memory.embedding.vectors import unit_rows

DIMENSION = 384
CHARACTERS = 16_384
"""How much of a text counts."""

_TOKEN = re.compile(r"\w+|[^\w\s]")
_RECIPE = f"blake2b-64, NFKC casefold, words 1-2 grams, {DIMENSION}, {CHARACTERS}"


class HashingEmbedder:
    """Equal texts have equal vectors on every machine; a text without words is the first axis."""

    space = Space(
        provider="hashing", model="words-1-2", sha256=digest(_RECIPE), dimension=DIMENSION, semantic=False
    )

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, 384) unit vectors."""
        rows = np.zeros((len(texts), DIMENSION))
        for row, text in zip(rows, texts, strict=True):
            for gram in _grams(text):
                place, sign = _feature(gram)
                row[place] += sign
        return unit_rows(rows, source="hashing")

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """(384,) unit vector."""
        vector: NDArray[np.float32] = self.embed([text])[0]
        return vector


def _grams(text: str) -> Iterator[str]:
    words = _TOKEN.findall(unicodedata.normalize("NFKC", readable(text, CHARACTERS)).casefold())
    yield from words
    yield from map(" ".join, pairwise(words))


def _feature(gram: str) -> tuple[int, int]:
    number = int.from_bytes(hashlib.blake2b(gram.encode(), digest_size=8).digest(), "big")
    return (number >> 1) % DIMENSION, 1 if number & 1 else -1
