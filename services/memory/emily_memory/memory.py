"""Memory as a library: store and recall over one database with the embedder of its active space."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import numpy as np
from emily_contracts import Recall, RecallRequest, Store, StoreRequest, Weights
from emily_runtime.logs import get_logger
from numpy.typing import NDArray

from emily_memory.embedding.embedder import Embedder
from emily_memory.embedding.errors import EmbedderDown
from emily_memory.metrics import Metrics
from emily_memory.recall.recaller import Recalled, Recaller, Sought
from emily_memory.recall.usage import Usage
from emily_memory.recall.weights import HYBRID
from emily_memory.store import spaces
from emily_memory.store.database import Database
from emily_memory.store.writer import Writer

QUERIES_REMEMBERED = 4096
DRAIN_TIMEOUT_S = 4.0

Vector = NDArray[np.float32]

_log = get_logger(__name__)


class Memory:
    """Stores and recalls.

    Attributes:
        database: Where everything is.
        embedder: Of the space that answers.
        writer: The way in.
        usage: What was recalled lately.
    """

    def __init__(
        self, database: Database, embedder: Embedder, metrics: Metrics, *, weights: Weights, capacity: int
    ) -> None:
        self.database = database
        self.embedder = embedder
        self.writer = Writer(database, lambda: self.embedder, capacity=capacity)
        self.usage = Usage()
        self.metrics = metrics
        self.recaller = Recaller(database)
        self._weights = weights
        self._queries: OrderedDict[tuple[str, str], Vector] = OrderedDict()

    async def store(self, request: StoreRequest) -> Store:
        """The acknowledgement of a durable episode.

        Raises:
            MemoryRefused: It is not stored; the message says why and what to do.
        """
        source = {"message": str(request.id), "stimulus": str(request.stimulus_id)}
        if request.causation_id is not None:
            source["causation"] = str(request.causation_id)
        kept, embedded = await self.writer.store(request.namespace, request.episode, source)
        self.metrics.stored.labels("new" if kept.new else "known").inc()
        return Store(id=kept.id, new=kept.new, embedded=embedded)

    async def recall(self, request: RecallRequest) -> Recall:
        """The best episodes; as many as asked for, or all that exist."""
        started = time.perf_counter()
        weights = request.weights or self._weights
        found = await self.seek(request, weights)
        if weights.use:
            self.usage.note(request.namespace, (each.id for each in found.episodes))
        self.metrics.recall_seconds.labels(found.path).observe(time.perf_counter() - started)
        return Recall(episodes=found.episodes, path=found.path, exhausted=found.exhausted)

    async def seek(self, request: RecallRequest, weights: Weights, *, exact: bool = False) -> Recalled:
        """Like `recall`, without a trace."""
        embedder = self.embedder
        vector = await self._vector(embedder, request.text) if request.text.strip() else None
        return await self.recaller.recall(Sought(request, weights, embedder.space, vector, exact))

    async def _vector(self, embedder: Embedder, text: str) -> Vector | None:
        key = (embedder.space.key, text)
        known = self._queries.get(key)
        if known is not None:
            self._queries.move_to_end(key)
            return known
        try:
            vector = await anyio.to_thread.run_sync(embedder.embed_query, text)
        except EmbedderDown as failure:
            _log.warning("embedder down, words alone are looked for", reason=str(failure))
            self.metrics.deaf.inc()
            return None
        self._queries[key] = vector
        if len(self._queries) > QUERIES_REMEMBERED:
            self._queries.popitem(last=False)
        return vector


@asynccontextmanager
async def remembering(
    database: Database,
    embedder: Embedder,
    *,
    metrics: Metrics | None = None,
    weights: Weights = HYBRID,
    capacity: int = 4096,
) -> AsyncIterator[Memory]:
    """A memory that takes in what is stored; leaving the block writes what waits.

    Args:
        database: Open.
        embedder: Its space becomes the active one if there is none.
        metrics: Where to count.
        weights: Of the components of a score.
        capacity: Episodes that may wait to be written.
    """
    async with database.writer.connection() as connection:
        first = await spaces.active(connection) is None
        await spaces.register(connection, embedder.space, state="active" if first else "building")
    memory = Memory(database, embedder, metrics or Metrics.unseen(), weights=weights, capacity=capacity)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(memory.writer.run)
        try:
            yield memory
        finally:
            memory.writer.close()
            tasks.cancel_scope.deadline = anyio.current_time() + DRAIN_TIMEOUT_S
