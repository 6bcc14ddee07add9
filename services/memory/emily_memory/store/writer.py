"""The way in: episodes wait in a bounded queue, are written together, acknowledged after the commit."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import anyio
import anyio.to_thread
import psycopg
from emily_contracts import Episode
from emily_runtime.logs import get_logger
from psycopg_pool import PoolTimeout

from emily_memory.embedding.embedder import Embedder
from emily_memory.embedding.errors import EmbedderDown
from emily_memory.errors import MemoryRefused, Overloaded, StoreUnavailable
from emily_memory.store.batch import Batch, Vectors, keep
from emily_memory.store.database import Database
from emily_memory.store.record import Kept

FLUSH_ROWS = 64
FLUSH_S = 0.010
FLUSHERS = 4

_log = get_logger(__name__)


class _Waiting(NamedTuple):
    namespace: str
    episode: Episode
    source: dict[str, str]
    kept: asyncio.Future[tuple[Kept, bool]]


class Writer:
    """Stores one episode at a time for its callers, and many at a time for the database.

    Attributes:
        rejected: Episodes that did not fit into the queue.
    """

    def __init__(self, database: Database, embedder: Callable[[], Embedder], *, capacity: int = 4096) -> None:
        self._database = database
        self._embedder = embedder
        self._capacity = capacity
        self._waiting: deque[_Waiting] = deque()
        self._filled = asyncio.Event()
        self._closed = False
        self.rejected = 0

    @property
    def depth(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def store(self, namespace: str, episode: Episode, source: dict[str, str]) -> tuple[Kept, bool]:
        """What became of an episode that is durable now, and whether it has a vector.

        Raises:
            Overloaded: The queue is full.
            StoreUnavailable: The database is away; whether the last moment's commit came through is not
                known, and storing again adds nothing twice.
            MemoryRefused: The database can't hold it.
        """
        if len(self._waiting) >= self._capacity or self._closed:
            self.rejected += 1
            raise Overloaded(f"queue: {len(self._waiting)} episodes wait to be written; store it again later")
        kept: asyncio.Future[tuple[Kept, bool]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(namespace, episode, source, kept))
        self._filled.set()
        return await kept

    async def run(self) -> None:
        """Write what is stored, until `close`; everything that waits is written first."""
        async with anyio.create_task_group() as flushers:
            for _ in range(FLUSHERS):
                flushers.start_soon(self._flush_all)

    def close(self) -> None:
        """Take nothing more in."""
        self._closed = True
        self._filled.set()

    async def _flush_all(self) -> None:
        while True:
            while not self._waiting:
                if self._closed:
                    return
                self._filled.clear()
                await self._filled.wait()
            if len(self._waiting) < FLUSH_ROWS and not self._closed:
                await asyncio.sleep(FLUSH_S)
            batch = [self._waiting.popleft() for _ in range(min(FLUSH_ROWS, len(self._waiting)))]
            if batch:
                await self._flush(batch)

    async def _flush(self, batch: list[_Waiting]) -> None:
        embedder = self._embedder()
        vectors = await self._embed(embedder, [each.episode.content for each in batch])
        try:
            async with self._database.writer.connection() as connection:
                kept = await keep(connection, _batch(batch), embedder.space, vectors)
        except (psycopg.OperationalError, PoolTimeout) as failure:
            _fail(batch, StoreUnavailable(f"database: {type(failure).__name__}; store it again later"))
        except (psycopg.Error, MemoryRefused) as failure:
            await self._flush_apart(batch, failure)
        else:
            for each, what in zip(batch, kept, strict=True):
                if what.refused is not None:
                    _fail([each], MemoryRefused(what.refused))
                elif not each.kept.done():
                    each.kept.set_result((what, vectors is not None))

    async def _flush_apart(self, batch: list[_Waiting], failure: Exception) -> None:
        """One of a batch was refused: the others are not to blame."""
        if len(batch) == 1:
            _fail(batch, MemoryRefused(f"episode: {failure}"))
            return
        for each in batch:
            await self._flush([each])

    async def _embed(self, embedder: Embedder, texts: list[str]) -> Vectors | None:
        try:
            return await anyio.to_thread.run_sync(embedder.embed, texts)
        except EmbedderDown as failure:
            _log.warning("embedder down, text is kept and embedded later", reason=str(failure))
            return None


def _batch(waiting: list[_Waiting]) -> Batch:
    return Batch(
        [each.namespace for each in waiting],
        [each.episode for each in waiting],
        [each.source for each in waiting],
    )


def _fail(batch: list[_Waiting], failure: MemoryRefused) -> None:
    for each in batch:
        if not each.kept.done():
            each.kept.set_exception(failure)
