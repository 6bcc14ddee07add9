"""What turns texts into vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from emily_memory.embedding.space import Space


class Embedder(Protocol):
    """Texts to unit vectors of one space. Blocking, and safe to call from several threads.

    Any `str` will do: empty, of any length (only its beginning counts), with NUL or lone surrogates.
    """

    @property
    def space(self) -> Space:
        """Where the vectors belong."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts to be found: (n, dimension), unit length, finite, in the order of the texts.

        Raises:
            EmbedderDown: There are no vectors now.
        """
        ...

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The vector of a text to search with: (dimension,), unit length, finite.

        Raises:
            EmbedderDown: There is no vector now.
        """
        ...
