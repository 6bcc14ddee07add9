"""A real database with memory's schema, and episodes to put into it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from emily_bus.testing import router
from emily_contracts import Episode, uuid7
from emily_memory.embedding.hashing import HashingEmbedder
from emily_memory.embedding.minilm import MiniLM
from emily_memory.store import spaces
from emily_memory.store.database import SCHEMA, Database, migrations, opened
from emily_memory.testing import Home
from emily_postgres.migrating import Database as Schema
from emily_postgres.testing import grown, server_url, url
from emily_runtime.testing import ServiceProcess, service_process

__all__ = ["grown", "server_url", "url"]

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that services run on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def grow() -> Callable[[str], object]:
    """Makes memory's schema."""
    return lambda url: Schema(url, SCHEMA).migrate(migrations())


@pytest.fixture
def embedder() -> HashingEmbedder:
    """One that needs no model."""
    return HashingEmbedder()


@pytest.fixture(scope="session")
def minilm() -> MiniLM:
    """The model, loaded once."""
    return MiniLM()


@pytest.fixture
async def memory(url: str, embedder: HashingEmbedder) -> AsyncIterator[Database]:
    """A database whose active space is the embedder's."""
    async with opened(url, size=2) as own:
        async with own.writer.connection() as connection:
            await spaces.register(connection, embedder.space, state="active")
        yield own


@pytest.fixture
def home(memory: Database, embedder: HashingEmbedder) -> Home:
    """An empty namespace in a database of the test's own."""
    return Home(memory, embedder)


@pytest.fixture
def episode() -> Callable[..., Episode]:
    """Makes episodes that are the same in every run, by their numbers."""

    def make(number: int = 0, content: str | None = None, **fields: Any) -> Episode:
        at = BEGINNING + timedelta(seconds=number)
        identity = uuid7(at, number.to_bytes(10))
        given: dict[str, Any] = {"id": identity, "occurred_at": at, "content": content or f"moment {number}"}
        return Episode(**(given | fields))

    return make


def ids(episodes: Sequence[Episode]) -> list[UUID]:
    """Of each."""
    return [each.id for each in episodes]


def random_vectors(count: int, dimension: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Unit vectors."""
    drawn = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """Of a bus router that the tests of a worker share."""
    with router() as listening:
        yield listening


@pytest.fixture
def process(endpoint: str, url: str, tmp_path: Path) -> Iterator[ServiceProcess]:
    """Memory on a database and in a namespace of the test's own, ready."""
    namespace = f"emily/{tmp_path.name.replace('_', '-').lower()}"
    with service_process("memory", endpoint=endpoint, namespace=namespace, state_dir=tmp_path) as own:
        own.start(database_url=url, embedder="hashing")
        yield own
