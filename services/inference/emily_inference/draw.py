"""Chance that can be repeated: a draw that follows from the seed and the stimulus."""

from __future__ import annotations

import hashlib
from uuid import UUID


def draw(seed: int, stimulus_id: UUID) -> float:
    """A number in [0, 1), uniform over stimuli, the same for the same seed and stimulus."""
    digest = hashlib.blake2b(stimulus_id.bytes + str(seed).encode(), digest_size=8).digest()
    return (int.from_bytes(digest) >> 11) / (1 << 53)
