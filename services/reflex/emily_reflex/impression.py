"""What a sense makes of a stimulus before anything is gated or felt."""

from __future__ import annotations

import msgspec


class Impression(msgspec.Struct, frozen=True, kw_only=True):
    """What was recognised and how it strikes the body.

    Attributes:
        label: Nearest known concept; none where the sense knows none.
        margin: Similarity less that of the second, in [0, 1].
        similarity: To what is known, in [0, 1].
        surprise: Novelty beyond what was expected, in [0, 1].
        threat: To the body, in [0, 1]; none where the sense tells nothing about it.
    """

    label: str | None = None
    margin: float = 0.0
    similarity: float = 0.0
    surprise: float = 0.0
    threat: float | None = None
