"""Where an OpenAI-compatible server of embeddings is, and what is asked of it."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec
from emily_runtime.secrets import SecretRefused, SecretSource

from emily_memory.embedding.errors import EmbedderUnusable
from emily_memory.embedding.pinned import digest
from emily_memory.embedding.space import MAX_DIMENSION, Space


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A server that answers POST to /embeddings with {"model", "input"} by vectors.

    Attributes:
        url: Base of the API, such as http://127.0.0.1:8000/v1.
        model: As the server names it.
        dimension: Of its vectors.
        api_key: Gives the key, if it wants one; asked anew for each batch.
        deadline_s: For one batch, all attempts and pauses in it.
        attempts: Most tries of one batch.
        batch: Most texts of one request.
        characters: Where a text is cut: what the server's model takes is not known here.

    Raises:
        EmbedderUnusable: A field is out of its bounds; the message names it, or the service's setting.
    """

    url: str
    model: str
    dimension: int
    api_key: SecretSource | None = None
    deadline_s: float = 10.0
    attempts: int = 3
    batch: int = 64
    characters: int = 8_000

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise EmbedderUnusable("embedder_url: must be like http://127.0.0.1:8000/v1")
        if parts.username or parts.password:
            raise EmbedderUnusable(
                "embedder_url: must hold no user or password; say where the key is in embedder_key_secret"
            )
        if not self.model:
            raise EmbedderUnusable("embedder_model: is empty; name the model as the server does")
        if not 1 <= self.dimension <= MAX_DIMENSION:
            raise EmbedderUnusable(f"embedder_dimension: {self.dimension} is not in 1..{MAX_DIMENSION}")
        if not 0 < self.deadline_s < float("inf"):
            raise EmbedderUnusable(f"deadline_s: {self.deadline_s} is not a positive number of seconds")
        for name in ("attempts", "batch", "characters"):
            if getattr(self, name) < 1:
                raise EmbedderUnusable(f"{name}: {getattr(self, name)} is less than 1")

    @property
    def address(self) -> str:
        """Where to post; a query of the URL stays."""
        parts = urlsplit(self.url)
        return parts._replace(path=f"{parts.path.rstrip('/')}/embeddings", fragment="").geturl()

    @property
    def name(self) -> str:
        """The address for people: without the query, which may hold a secret."""
        return urlsplit(self.address)._replace(query="").geturl()

    @property
    def space(self) -> Space:
        """Of its vectors. The weights are out of sight: another model behind the same name goes unnoticed."""
        return Space(
            provider="http",
            model=self.model,
            sha256=digest(self.url, self.model, str(self.dimension)),
            dimension=self.dimension,
            semantic=True,
        )

    def headers(self) -> dict[str, str]:
        """What every request carries.

        Raises:
            EmbedderUnusable: The key can't be read, or is none.
            SecretUnavailable: The server that keeps it is away.
        """
        if self.api_key is None:
            return {}
        try:
            key = self.api_key.read().reveal().strip()
        except SecretRefused as refusal:
            raise EmbedderUnusable(f"embedder_key_secret: {refusal}") from None
        if not (key and key.isascii() and key.isprintable()):
            raise EmbedderUnusable("embedder_key_secret: must hold the key, in ASCII, on one line")
        return {"Authorization": f"Bearer {key}"}
