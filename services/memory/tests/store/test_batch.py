from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from emily_contracts import Episode
from emily_memory.embedding.hashing import HashingEmbedder
from emily_memory.errors import MemoryRefused
from emily_memory.store.batch import Batch, Vectors, keep
from emily_memory.store.database import Database
from emily_memory.store.record import Kept

pytestmark = pytest.mark.anyio

Make = Callable[..., Episode]
HOSTILE = ["'; DROP TABLE episode; --", "$$ \\ %s {} \x01 \u202e", "a'b\"c`d", "\t\n\r"]


async def kept(
    memory: Database, embedder: HashingEmbedder, episodes: list[Episode], vectors: Vectors | None = None
) -> list[Kept]:
    if vectors is None:
        vectors = embedder.embed([each.content for each in episodes])
    batch = Batch(["home"] * len(episodes), episodes, [{}] * len(episodes))
    async with memory.writer.connection() as connection:
        return await keep(connection, batch, embedder.space, vectors)


async def one(memory: Database, query: str, *values: Any) -> Any:
    async with memory.writer.connection() as connection:
        row = await (await connection.execute(query.encode(), values)).fetchone()
        return row if row is None or len(row) > 1 else row[0]


async def test_what_is_stored_again_adds_nothing(
    memory: Database, embedder: HashingEmbedder, episode: Make
) -> None:
    first = [episode(number) for number in range(5)]
    assert all(each.new for each in await kept(memory, embedder, first))
    again = await kept(memory, embedder, [*first, episode(5)])
    assert [each.new for each in again] == [False] * 5 + [True]
    assert await one(memory, "SELECT count(*) FROM episode") == 6


async def test_the_same_moment_under_another_id_is_the_one_that_is_known(
    memory: Database, embedder: HashingEmbedder, episode: Make
) -> None:
    known, twin = episode(1), episode(2)
    twin = Episode(id=twin.id, occurred_at=known.occurred_at, content=known.content)
    await kept(memory, embedder, [known])
    (answer,) = await kept(memory, embedder, [twin])
    assert answer == Kept(known.id, False)


async def test_twins_in_one_batch_become_one(
    memory: Database, embedder: HashingEmbedder, episode: Make
) -> None:
    known, other = episode(1), episode(2)
    twin = Episode(id=other.id, occurred_at=known.occurred_at, content=known.content)
    answers = await kept(memory, embedder, [known, twin])
    assert sum(each.new for each in answers) == 1
    assert len({each.id for each in answers}) == 1


async def test_an_id_that_another_episode_has_is_refused_and_never_acknowledged(
    memory: Database, embedder: HashingEmbedder, episode: Make
) -> None:
    known, other = episode(1), episode(1, "another content")
    (refused,) = [each for each in await kept(memory, embedder, [known, other]) if not each.new]
    assert refused.refused is not None
    assert f"episode.id: {known.id} is another episode's" in refused.refused
    batch = Batch(["work"], [known], [{}])
    async with memory.writer.connection() as connection:
        (elsewhere,) = await keep(connection, batch, embedder.space, embedder.embed([known.content]))
    assert elsewhere.refused is not None


async def test_a_moment_that_was_corrected_is_still_known(
    memory: Database, embedder: HashingEmbedder, episode: Make
) -> None:
    await kept(memory, embedder, [episode(1)])
    async with memory.writer.connection() as connection:
        await connection.execute("UPDATE episode SET retracted_at = now()")
    assert await kept(memory, embedder, [episode(1)]) == [Kept(episode(1).id, False)]


@pytest.mark.parametrize("text", HOSTILE)
async def test_every_text_is_stored_as_it_is(
    memory: Database, embedder: HashingEmbedder, episode: Make, text: str
) -> None:
    hostile = episode(1, text, context={text.strip() or "k": text})
    await kept(memory, embedder, [hostile])
    assert await one(memory, "SELECT content, context FROM episode") == (text, dict(hostile.context))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda v: v[:, :-1], r"embedding: shape \(3, 383\) must be \(3, 384\)"),
        (lambda v: np.where(np.arange(3)[:, None] == 1, np.nan, v), r"embedding\[1\]: holds NaN"),
        (lambda v: v * (np.arange(3)[:, None] != 2), r"embedding\[2\]: is all zeros"),
    ],
)
async def test_vectors_that_do_not_fit_are_refused_and_nothing_is_stored(
    memory: Database,
    embedder: HashingEmbedder,
    episode: Make,
    spoil: Callable[[Vectors], Vectors],
    message: str,
) -> None:
    episodes = [episode(number) for number in range(3)]
    vectors = spoil(embedder.embed([each.content for each in episodes])).astype(np.float32)
    with pytest.raises(MemoryRefused, match=message):
        await kept(memory, embedder, episodes, vectors)
    assert await one(memory, "SELECT count(*) FROM episode") == 0


async def test_a_reader_sees_its_namespace_and_no_other(
    memory: Database, embedder: HashingEmbedder, episode: Make
) -> None:
    await kept(memory, embedder, [episode(1)])
    counts = []
    for namespace in ("home", "work", "home"):
        async with memory.reading(namespace) as connection:
            row = await (await connection.execute("SELECT count(*) FROM episode")).fetchone()
            counts.append(row)
    assert counts == [(1,), (0,), (1,)]


async def test_the_same_episode_twice_in_one_batch_is_one(
    memory: Database, embedder: HashingEmbedder, episode: Make
) -> None:
    answers = await kept(memory, embedder, [episode(1), episode(1)])
    assert {each.id for each in answers} == {episode(1).id}
    assert await one(memory, "SELECT count(*) FROM episode") == 1
