from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Sequence

import anyio
import anyio.to_thread
import numpy as np
import pytest
from emily_contracts import Episode
from emily_contracts.topics import CONSOLIDATE
from emily_contracts.upkeeping import ConsolidateRequest, Consolidation
from emily_memory import queries
from emily_memory.embedding.hashing import HashingEmbedder
from emily_memory.errors import MemoryRefused
from emily_memory.memory import Memory, remembering
from emily_memory.queries import Answer
from emily_memory.store.database import Database, opened
from emily_memory.testing import Home
from emily_memory.upkeep import consolidation
from emily_memory.upkeep.embedders import Embedders
from emily_memory.upkeep.forgetting import Policy
from numpy.typing import NDArray

pytestmark = pytest.mark.anyio

Make = Callable[..., Episode]
REQUEST = ConsolidateRequest(dry_run=False)


class Slow(HashingEmbedder):
    """Embeds when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.let = threading.Event(), threading.Event()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked.set()
        assert self.let.wait(30)
        return super().embed(texts)


def consolidating(memory: Memory) -> Answer:
    """How a memory answers who asks it to consolidate."""
    return queries.of_upkeep(memory, Embedders(lambda _: HashingEmbedder()), Policy())[CONSOLIDATE]


@pytest.fixture
async def talked(home: Home, episode: Make) -> Home:
    """A database with an old session that is long enough to be summed up."""
    await home.remember(*(episode(number, f"word{number} was said", session="talk") for number in range(21)))
    return home


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
async def one(talked: Home, slow: Slow) -> AsyncIterator[Answer]:
    """Of a memory whose embedder waits."""
    async with remembering(talked.database, slow) as memory:
        yield consolidating(memory)


@pytest.fixture
async def other(talked: Home, url: str) -> AsyncIterator[Answer]:
    """Of another memory on the same database."""
    async with opened(url, size=2) as database, remembering(database, HashingEmbedder()) as memory:
        yield consolidating(memory)


async def test_while_one_memory_consolidates_another_is_refused(
    one: Answer, other: Answer, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consolidation, "WAIT_S", 0.2)
    done: list[Consolidation] = []

    async def ask() -> None:
        done.append(await one(REQUEST))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        assert await anyio.to_thread.run_sync(slow.asked.wait, 30)
        with pytest.raises(MemoryRefused, match=r"^consolidate: another consolidation runs; ask again when"):
            await other(REQUEST)
        slow.let.set()
    assert (done[0].summaries, (await other(REQUEST)).summaries) == (1, 0)


async def test_a_short_consolidation_is_waited_for(one: Answer, other: Answer, slow: Slow) -> None:
    done: dict[str, Consolidation] = {}

    async def ask(name: str, answer: Answer) -> None:
        done[name] = await answer(REQUEST)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, "one", one)
        assert await anyio.to_thread.run_sync(slow.asked.wait, 30)
        tasks.start_soon(ask, "other", other)
        await anyio.sleep(0.3)
        assert done == {}
        slow.let.set()
    assert (done["one"].summaries, done["other"].summaries) == (1, 0)


async def test_a_consolidation_without_patience_says_that_there_may_be_more(
    talked: Home, memory: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with remembering(memory, HashingEmbedder()) as own:
        ask = consolidating(own)
        monkeypatch.setattr(queries, "PATIENCE_S", 0)
        assert await ask(REQUEST) == Consolidation(dry_run=False, more=True)
        monkeypatch.undo()
        assert (await ask(REQUEST)).summaries == 1
