"""Unit length, or no vector at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emily_memory.embedding.errors import EmbedderDown


def unit_rows(rows: NDArray[np.floating], *, source: str) -> NDArray[np.float32]:
    """Rows scaled to unit length; one of zeros becomes the first axis.

    Args:
        rows: (n, dimension).
        source: What computed them, for the error.

    Raises:
        EmbedderDown: A number is not finite.
    """
    exact = rows.astype(np.float64)
    if not np.isfinite(exact).all():
        raise EmbedderDown(f"{source}: a vector holds NaN or infinity")
    largest = np.abs(exact).max(axis=1, initial=0.0, keepdims=True)
    exact[largest[:, 0] == 0, 0] = 1.0
    exact /= np.where(largest == 0, 1.0, largest)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    return exact.astype(np.float32)
