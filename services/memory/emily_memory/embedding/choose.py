"""The embedder that the settings name."""

from __future__ import annotations

from typing import Literal, get_args

from emily_memory.embedding.breaker import Breaker
from emily_memory.embedding.embedder import Embedder
from emily_memory.embedding.endpoint import Endpoint
from emily_memory.embedding.errors import EmbedderUnusable
from emily_memory.embedding.hashing import HashingEmbedder

Kind = Literal["minilm", "e5", "http", "hashing"]


def choose(kind: str, *, threads: int = 1, endpoint: Endpoint | None = None) -> Embedder:
    """Loads an embedder; what it would need is imported only then.

    Args:
        kind: "minilm" (the default of the service), "e5", "http" or "hashing".
        threads: Cores for a model in the process.
        endpoint: Of the server, for "http"; it is left alone for a while when it is down.

    Raises:
        EmbedderUnusable: The kind is unknown, or can't be had; the message says what to do.
    """
    match kind:
        case "minilm":
            from emily_memory.embedding.minilm import MiniLM  # noqa: PLC0415

            return MiniLM(threads=threads)
        case "e5":
            from emily_memory.embedding.e5 import E5  # noqa: PLC0415

            return E5(threads=threads)
        case "http":
            if endpoint is None:
                raise EmbedderUnusable(
                    "embedder: http needs embedder_url, embedder_model and embedder_dimension"
                )
            from emily_memory.embedding.http import HttpEmbedder  # noqa: PLC0415

            return Breaker(HttpEmbedder(endpoint))
        case "hashing":
            return HashingEmbedder()
    raise EmbedderUnusable(f"embedder: {kind!r} is unknown; known are {', '.join(get_args(Kind))}")
