from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import numpy as np
import pytest
from emily_contracts import Episode
from emily_contracts.curation import ForgetRequest
from emily_memory.curation.correcting import forget
from emily_memory.embedding.space import Space
from emily_memory.store import spaces
from emily_memory.store.database import Database
from emily_memory.testing import Home
from emily_memory.upkeep import merging
from emily_memory.upkeep.merging import Merged, duplicates, merge
from emily_memory.upkeep.tiering import embed_waiting
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

pytestmark = pytest.mark.anyio

Make = Callable[..., Episode]


class Clock:
    """Texts to directions: whatever is near is within ten degrees, the rest is far away."""

    space = Space(provider="clock", model="hand", sha256="c" * 64, dimension=2, semantic=True)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        angles = np.radians([sum(map(ord, text)) % 3 * 5 if "near" in text else 90.0 for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        row: NDArray[np.float32] = self.embed([text])[0]
        return row


@pytest.fixture
async def home(memory: Database) -> Home:
    async with memory.writer.connection() as connection:
        await spaces.register(connection, Clock.space)
        await spaces.activate(connection, Clock.space)
    return Home(memory, Clock())


async def merged(home: Home, episode: Make, *, dry_run: bool = False) -> Merged:
    now = episode(0).occurred_at + timedelta(days=1)
    async with home.database.writer.connection() as connection:
        return await merge(connection, Clock.space, home.namespace, now, threshold=0.97, dry_run=dry_run)


async def held(home: Home) -> set[str]:
    return {
        content for (content,) in await home.rows("SELECT content FROM episode WHERE archived_at IS NULL")
    }


async def test_of_near_duplicates_the_most_important_stays_and_names_the_others(
    home: Home, episode: Make
) -> None:
    first, best, last = (
        episode(1, "near the park"),
        episode(2, "the park is near", importance=0.9),
        episode(3, "near a park"),
    )
    await home.remember(first, best, last, episode(4, "something else"))
    await home.use(first, 3)
    await home.use(best, 2)
    assert await merged(home, episode, dry_run=True) == Merged(4, 2)
    assert len(await held(home)) == 4
    assert await merged(home, episode) == Merged(4, 2)
    assert await held(home) == {best.content, "something else"}
    assert set(await home.vectors()) == {best.id, episode(4).id}
    changes = await home.rows("SELECT did, id, other FROM change ORDER BY id")
    assert changes == [("merged", first.id, best.id), ("merged", last.id, best.id)]
    sources = await home.rows("SELECT derived, origin FROM derivation ORDER BY origin")
    assert sources == [(best.id, first.id), (best.id, last.id)]
    assert await home.rows("SELECT id, uses FROM usage") == [(best.id, 5)]
    assert (await merged(home, episode)).merged == 0


async def test_what_stays_takes_over_what_the_others_knew_better(home: Home, episode: Make) -> None:
    end = episode(0).occurred_at + timedelta(days=30)
    pinned = episode(5, "near the park", pinned=True, importance=0.1, expires_at=end)
    await home.remember(pinned, episode(1, "a park is near", importance=0.8))
    assert (await merged(home, episode)).merged == 1
    (row,) = await home.rows(
        "SELECT id, importance, valid_from, expires_at FROM episode WHERE archived_at IS NULL"
    )
    assert row == (pinned.id, pytest.approx(0.8), episode(1).occurred_at, None)


@pytest.mark.parametrize(
    "other",
    [
        {"kind": "fact"},
        {"actor": "bob"},
        {"context": {"digit": "5"}},
        {"content": "near park 5"},
        {"pinned": True},
        {"valid_to": "later"},
        {"content": "far from it"},
    ],
    ids=["kind", "actor", "context", "number", "pinned", "ended", "far"],
)
async def test_what_is_not_the_same_is_not_merged(
    home: Home, episode: Make, other: dict[str, object]
) -> None:
    if "valid_to" in other:
        other = {"valid_to": episode(0).occurred_at + timedelta(days=300)}
    known = episode(1, "near park 4", context={"digit": "4"}, actor="ann", pinned=True)
    fields = {"content": "the park 4 is near", "context": {"digit": "4"}, "actor": "ann"} | other
    await home.remember(known, episode(2, **fields))
    assert (await merged(home, episode)).merged == 0
    assert len(await held(home)) == 2


async def test_namespaces_are_merged_apart(home: Home, episode: Make) -> None:
    await home.remember(episode(1, "near the park"))
    await Home(home.database, home.embedder, "work").remember(episode(2, "the park is near"))
    assert await merged(home, episode) == Merged(0, 0)


async def test_what_a_person_brought_back_is_not_merged_again(home: Home, episode: Make) -> None:
    one, two = episode(1, "near the park"), episode(2, "the park is near")
    await home.remember(one, two)
    assert (await merged(home, episode)).merged == 1
    await forget(home.database, ForgetRequest(**home.says(two.id, restore=True)))
    async with home.database.writer.connection() as connection:
        assert await embed_waiting(connection, home.embedder) == 1
    assert (await merged(home, episode)).merged == 0
    assert len(await held(home)) == 2


ROWS = st.lists(st.tuples(st.integers(0, 90), st.booleans()), max_size=30)


@given(rows=ROWS, threshold=st.sampled_from([0.9, 0.97, 0.999]))
def test_what_goes_is_near_one_that_stays_and_what_stays_is_near_none_before(
    rows: list[tuple[int, bool]], threshold: float
) -> None:
    angles = np.radians([angle for angle, _ in rows])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32).reshape(len(rows), 2)
    pinned = np.array([pin for _, pin in rows], bool)
    into = duplicates(vectors, pinned, threshold)
    near = vectors @ vectors.T >= threshold
    stays = [row for row in range(len(rows)) if row not in into]
    assert all(near[row, other] and other in stays and other < row for row, other in into.items())
    assert not any(pinned[row] for row in into)
    assert not any(near[row, other] for row in stays for other in stays if other < row and not pinned[row])


def test_blocks_are_compared_with_what_is_before_them(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.tile(np.eye(5, dtype=np.float32), (4, 1))
    monkeypatch.setattr(merging, "BLOCK", 3)
    assert duplicates(vectors, np.zeros(20, bool), 0.97) == {row: row % 5 for row in range(5, 20)}
