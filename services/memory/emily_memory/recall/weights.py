"""How much each component of a score counts."""

from __future__ import annotations

import msgspec


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """Of a weighted sum; decay is one bounded term of it, so that age never hides a true answer.

    0.6 dense and 0.4 BM25, both min-max normalised over the candidates, found most evidence on LoCoMo.

    Attributes:
        recency_days: Age at which recency has fallen to 1/e.

    Raises:
        ValueError: A weight is negative, or dense and lexical are both 0.
    """

    dense: float = 0.6
    lexical: float = 0.4
    affect: float = 0.1
    recency: float = 0.05
    importance: float = 0.05
    use: float = 0.02
    recency_days: float = 30.0

    def __post_init__(self) -> None:
        for name in ("dense", "lexical", "affect", "recency", "importance", "use"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}: {getattr(self, name)} is below 0")
        if not self.recency_days > 0:
            raise ValueError(f"recency_days: {self.recency_days} is not above 0")
        if self.dense + self.lexical == 0:
            raise ValueError("dense and lexical: both are 0, so nothing can be looked for")

    @property
    def plain(self) -> bool:
        """Whether likeness of meaning is all that counts."""
        return not (self.lexical or self.affect or self.recency or self.importance or self.use)


NEAREST = Weights(dense=1.0, lexical=0.0, affect=0.0, recency=0.0, importance=0.0, use=0.0)
COMPOSITE = Weights(lexical=0.0)
HYBRID = Weights()
