from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import numpy as np
import pytest
from emily_contracts import Episode, RecallRequest
from emily_contracts.curation import ForgetRequest
from emily_contracts.upkeeping import DropRetired, Reembedding
from emily_memory.curation.correcting import forget
from emily_memory.embedding import Embedder, EmbedderDown, EmbedderUnusable
from emily_memory.embedding.hashing import HashingEmbedder
from emily_memory.embedding.space import Space
from emily_memory.errors import MemoryRefused
from emily_memory.memory import Memory, remembering
from emily_memory.store import spaces
from emily_memory.store.database import opened
from emily_memory.testing import Home
from emily_memory.upkeep import reembedding
from emily_memory.upkeep.embedders import Embedders
from emily_memory.upkeep.leader import Upkeep
from emily_memory.upkeep.reembedding import advance, begin, drop_retired, progress
from emily_memory.upkeep.tiering import drain
from numpy.typing import NDArray

pytestmark = pytest.mark.anyio

Make = Callable[..., Episode]


class Letters:
    """An embedder of a few dimensions that can be told to be down after some texts."""

    def __init__(self, model: str = "letters", *, dimension: int = 8, gives: int | None = None) -> None:
        sha256 = hashlib.sha256(model.encode()).hexdigest()
        self.space = Space(
            provider="letters", model=model, sha256=sha256, dimension=dimension, semantic=False
        )
        self.gives = dimension if gives is None else gives
        self.up_for = 10**9

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.up_for -= len(texts)
        if self.up_for < 0:
            raise EmbedderDown("letters: gone for a walk")
        rows = np.zeros((len(texts), self.gives), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for letter in text or " ":
                row[ord(letter) % self.gives] += 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        row: NDArray[np.float32] = self.embed([text])[0]
        return row


async def begun(home: Home, space: Space) -> None:
    async with home.database.writer.connection() as connection:
        await begin(connection, space)


async def advanced(home: Home, embedder: Embedder) -> int:
    """Steps until there is no more to do."""
    steps = 1
    async with home.database.writer.connection() as connection:
        while await advance(connection, embedder):
            steps += 1
    return steps


async def vectors(home: Home, space: Space) -> list[Any]:
    hot, indexed = (table.as_string() for table in (spaces.tables(space).hot, spaces.tables(space).indexed))
    return [
        identity
        for (identity,) in await home.rows(
            f"SELECT id FROM {hot} UNION ALL SELECT id FROM {indexed} ORDER BY id"
        )
    ]


async def active(home: Home) -> Space | None:
    async with home.database.writer.connection() as connection:
        return await spaces.active(connection)


async def far(home: Home) -> Reembedding:
    async with home.database.writer.connection() as connection:
        return await progress(connection)


async def test_the_old_space_answers_until_nothing_is_missing_in_the_new_one(
    home: Home, episode: Make
) -> None:
    episodes = [episode(number) for number in range(300)]
    await home.remember(*episodes)
    letters = Letters()
    await begun(home, letters.space)
    assert await far(home) == Reembedding(space=letters.space.key, state="building", done=0, total=300)
    async with home.database.writer.connection() as connection:
        assert await advance(connection, letters)
        assert await spaces.active(connection) == home.embedder.space
        await drain(connection, letters.space, rows=100)
    assert await far(home) == Reembedding(space=letters.space.key, state="building", done=256, total=300)
    await advanced(home, letters)
    assert await active(home) == letters.space
    assert await vectors(home, letters.space) == [each.id for each in episodes]
    assert await far(home) == Reembedding(space=letters.space.key, state="active", done=300, total=300)
    assert len(await home.vectors()) == 300


async def test_what_breaks_off_goes_on_where_it_was(home: Home, episode: Make) -> None:
    await home.remember(*(episode(number) for number in range(300)))
    letters = Letters()
    letters.up_for = 150
    await begun(home, letters.space)
    with pytest.raises(EmbedderDown):
        await advanced(home, letters)
    assert (await far(home)).done == 128
    assert await active(home) == home.embedder.space
    await begun(home, letters.space)
    letters.up_for = 300 - 128
    await advanced(home, letters)
    assert await active(home) == letters.space
    assert len(await vectors(home, letters.space)) == 300
    assert letters.up_for == 0


async def test_what_is_kept_or_forgotten_meanwhile_is_so_in_the_new_space(home: Home, episode: Make) -> None:
    await home.remember(*(episode(number) for number in range(10)))
    letters = Letters()
    await begun(home, letters.space)
    async with home.database.writer.connection() as connection:
        await reembedding.queue(connection, letters.space)
    await home.remember(episode(10))
    await forget(home.database, ForgetRequest(**home.says(episode(3).id)))
    await advanced(home, letters)
    assert await vectors(home, letters.space) == [episode(number).id for number in range(11) if number != 3]


async def test_what_is_kept_by_one_that_has_not_noticed_the_switch_waits_for_its_vector(
    home: Home, episode: Make
) -> None:
    letters = Letters()
    await begun(home, letters.space)
    await advanced(home, letters)
    assert await active(home) == letters.space
    await home.remember(episode(1))
    assert await home.waiting() == {episode(1).id}


async def test_a_move_that_another_replaces_leaves_nothing_that_waits(home: Home, episode: Make) -> None:
    await home.remember(*(episode(number) for number in range(5)))
    first, second = Letters("first"), Letters("second", dimension=5)
    await begun(home, first.space)
    async with home.database.writer.connection() as connection:
        assert await reembedding.queue(connection, first.space) == 5
    await begun(home, second.space)
    assert await home.waiting() == set()
    await advanced(home, second)
    await advanced(home, first)
    assert await active(home) == second.space


async def test_a_space_that_does_not_fit_is_refused_and_nothing_is_switched(
    home: Home, episode: Make
) -> None:
    await home.remember(episode(1))
    with pytest.raises(MemoryRefused, match="answers already"):
        await begun(home, home.embedder.space)
    letters, wider = Letters(), Letters(dimension=9)
    await begun(home, letters.space)
    with pytest.raises(MemoryRefused, match="dimension: 9 is not the 8"):
        await begun(home, wider.space)
    with pytest.raises(MemoryRefused, match=r"embedding: shape \(1, 7\) must be \(1, 8\)"):
        await advanced(home, Letters(gives=7))
    assert await active(home) == home.embedder.space
    assert (await far(home)).done == 0


async def test_retired_spaces_go_when_they_are_dropped_and_never_before(home: Home, episode: Make) -> None:
    await home.remember(episode(1))
    letters, old = Letters(), home.embedder.space
    await begun(home, letters.space)
    async with home.database.writer.connection() as connection:
        assert await drop_retired(connection) == DropRetired(spaces=())
        await advanced(home, letters)
        assert set(await home.vectors()) == {episode(1).id}
        assert await drop_retired(connection) == DropRetired(spaces=(old.key,))
        assert list(await spaces.listed(connection)) == [letters.space]
    assert await home.rows("SELECT FROM pg_tables WHERE tablename = %s", f"hot_{old.key}") == []
    await begun(home, old)
    await advanced(home, home.embedder)
    assert await active(home) == old
    assert set(await home.vectors()) == {episode(1).id}


async def test_an_embedder_is_tried_before_a_move_to_it_begins() -> None:
    def load(kind: str) -> Embedder:
        if kind == "short":
            return Letters(gives=7)
        down = Letters()
        down.up_for = 0
        if kind == "down":
            return down
        raise EmbedderUnusable(f"embedder: {kind!r} is unknown")

    embedders = Embedders(load)
    for kind, reason in (
        ("short", "embedding: shape"),
        ("down", "to: letters"),
        ("odd", "to: embedder: 'odd'"),
    ):
        with pytest.raises(MemoryRefused, match=reason):
            await embedders.of_kind(kind)
    assert await embedders.of(Letters("other").space) is None


async def test_every_memory_of_a_database_moves_along(url: str, episode: Make) -> None:
    letters = Letters()

    def load(kind: str) -> Embedder:
        return letters if kind == "letters" else HashingEmbedder()

    async def moved(memory: Memory) -> None:
        while memory.embedder.space != letters.space:
            await anyio.sleep(0.01)

    async with (
        opened(url, size=3) as one,
        opened(url, size=3) as other,
        remembering(one, HashingEmbedder()) as leading,
        remembering(other, HashingEmbedder()) as following,
        anyio.create_task_group() as tasks,
    ):
        for memory in (leading, following):
            tasks.start_soon(Upkeep(memory, embedders=Embedders(load)).run)
        for number in range(100):
            await leading.writer.store("home", episode(number), {})
        async with one.writer.connection() as connection:
            await begin(connection, letters.space)
        with anyio.fail_after(20):
            await moved(leading)
            await moved(following)
        for memory in (leading, following):
            recalled = await memory.recall(RecallRequest(namespace="home", text="moment 42", limit=100))
            assert len(recalled.episodes) == 100
        tasks.cancel_scope.cancel()
