from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from emily_contracts import Episode, RecallRequest, Weights
from emily_memory.embedding.hashing import HashingEmbedder
from emily_memory.recall import recaller
from emily_memory.recall.recaller import Recalled, Recaller, Sought
from emily_memory.recall.usage import Usage
from emily_memory.recall.weights import COMPOSITE, HYBRID, NEAREST
from emily_memory.store.batch import Batch, keep
from emily_memory.store.database import Database
from emily_memory.store.word_counts import count_words
from emily_memory.upkeep.tiering import drain

pytestmark = pytest.mark.anyio

Make = Callable[..., Episode]
ANIMALS = ["the cat sleeps on the mat", "a dog barks at night", "cats and dogs are friends", "fish swim"]


class Minded:
    """A database that is written to and recalled from."""

    def __init__(self, database: Database, embedder: HashingEmbedder) -> None:
        self.database = database
        self.embedder = embedder
        self.recaller = Recaller(database)

    async def keep(
        self,
        episodes: list[Episode],
        namespace: str = "home",
        *,
        drained: bool = False,
        embedded: bool = True,
    ) -> None:
        vectors = self.embedder.embed([each.content for each in episodes]) if embedded else None
        batch = Batch([namespace] * len(episodes), episodes, [{}] * len(episodes))
        async with self.database.writer.connection() as connection:
            await keep(connection, batch, self.embedder.space, vectors)
            while drained and await drain(connection, self.embedder.space):
                pass

    async def recall(
        self, text: str, weights: Weights = HYBRID, *, deaf: bool = False, **given: Any
    ) -> Recalled:
        request = RecallRequest(**({"namespace": "home", "text": text} | given))
        vector = None if deaf else self.embedder.embed_query(text)
        return await self.recaller.recall(Sought(request, weights, self.embedder.space, vector))


@pytest.fixture
async def mind(memory: Database, embedder: HashingEmbedder) -> Minded:
    return Minded(memory, embedder)


def contents(recalled: Recalled) -> list[str]:
    return [each.content for each in recalled.episodes]


@pytest.mark.parametrize("weights", [NEAREST, COMPOSITE, HYBRID], ids=["nearest", "composite", "hybrid"])
@pytest.mark.parametrize("drained", [False, True], ids=["hot", "indexed"])
async def test_the_likest_comes_first_wherever_it_lies(
    mind: Minded, episode: Make, weights: Weights, drained: bool
) -> None:
    await mind.keep([episode(i, text) for i, text in enumerate(ANIMALS)], drained=drained)
    recalled = await mind.recall("a dog barks", weights, limit=2)
    assert contents(recalled)[0] == "a dog barks at night"
    assert len(recalled.episodes) == 2
    assert not recalled.exhausted


@pytest.mark.parametrize("weights", [NEAREST, COMPOSITE, HYBRID], ids=["nearest", "composite", "hybrid"])
@pytest.mark.parametrize("bound", [0, 6000], ids=["hnsw", "exact"])
async def test_as_many_come_back_as_exist_under_every_selection(
    mind: Minded, episode: Make, weights: Weights, bound: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recaller, "EXACT_UP_TO", bound)
    episodes = [
        episode(
            i, f"note {i} of many", kind="rare" if i % 50 == 0 else "usual", context={"tenth": str(i % 10)}
        )
        for i in range(300)
    ]
    await mind.keep(episodes[:200], drained=True)
    await mind.keep(episodes[200:])
    rare = await mind.recall("note of many", weights, kinds=("rare",), limit=10)
    assert (len(rare.episodes), rare.exhausted) == (6, True)
    assert {each.kind for each in rare.episodes} == {"rare"}
    third = await mind.recall("note of many", weights, context={"tenth": "3"}, limit=25)
    assert (len(third.episodes), third.exhausted) == (25, False)
    assert {each.context["tenth"] for each in third.episodes} == {"3"}
    assert len((await mind.recall("note", weights, limit=300)).episodes) == 300


async def test_rare_words_count_more_than_common_ones(mind: Minded, episode: Make) -> None:
    texts = [f"report number {i}" for i in range(40)]
    await mind.keep([episode(i, text) for i, text in enumerate([*texts, "zeppelin"])])
    async with mind.database.writer.connection() as connection:
        await connection.execute("UPDATE episode SET recorded_at = recorded_at - interval '1 minute'")
        assert await count_words(connection) == 41
    lexical = Weights(dense=0, lexical=1, affect=0, recency=0, importance=0, use=0)
    recalled = await mind.recall("report zeppelin", lexical, limit=2, explain=True)
    assert contents(recalled)[0] == "zeppelin"
    first, second = (each.components.lexical for each in recalled.episodes if each.components)
    assert (first, second < 0.5) == (1, True)


async def test_without_an_embedder_words_are_found(mind: Minded, episode: Make) -> None:
    await mind.keep([episode(i, text) for i, text in enumerate(ANIMALS)], embedded=False)
    recalled = await mind.recall("barking dogs", limit=4, deaf=True)
    assert recalled.path == "lexical"
    assert set(contents(recalled)[:2]) == {ANIMALS[1], ANIMALS[2]}
    assert len(recalled.episodes) == 4


async def test_what_has_no_vector_yet_is_found_with_one_that_asks(mind: Minded, episode: Make) -> None:
    await mind.keep([episode(0, ANIMALS[0])])
    await mind.keep([episode(1, ANIMALS[1])], embedded=False)
    assert set(contents(await mind.recall("dog", limit=2))) == {ANIMALS[0], ANIMALS[1]}


async def test_like_feelings_come_first(mind: Minded, episode: Make) -> None:
    await mind.keep(
        [
            episode(1, "a walk", valence=0.9, arousal=0.2, dominance=0.5),
            episode(2, "a walk ", valence=-0.9, arousal=0.9, dominance=-0.5),
            episode(3, "a walk  "),
        ]
    )
    weights = Weights(affect=1.0)
    calm = await mind.recall("a walk", weights, valence=0.8, arousal=0.2, explain=True)
    assert contents(calm) == ["a walk", "a walk  ", "a walk "]
    affect = [each.components.affect for each in calm.episodes if each.components]
    assert affect[0] is not None
    assert affect[0] == pytest.approx(1 - np.sqrt(0.05**2 / 2), abs=1e-6)
    assert affect[1] is None


async def test_age_never_hides_a_true_answer(mind: Minded, episode: Make) -> None:
    old = episode(0, "the treasure lies under the oak")
    old = Episode(id=old.id, occurred_at=old.occurred_at - timedelta(days=36_500), content=old.content)
    await mind.keep([old, *(episode(i, f"breakfast number {i}") for i in range(1, 50))])
    assert contents(await mind.recall("where is the treasure", limit=1)) == [old.content]


async def test_where_use_does_not_count_what_happened_last_is_most_recent(
    mind: Minded, episode: Make
) -> None:
    older, newer = episode(0, "breakfast at nine"), episode(86_400 * 20, "breakfast at ten")
    await mind.keep([older, newer])
    recalled = Usage()
    recalled.note("home", [older.id])
    async with mind.database.writer.connection() as connection:
        assert await recalled.flush(connection) == 1
    lately = {"dense": 0.0, "lexical": 0.0, "affect": 0.0, "importance": 0.0, "recency": 1.0}
    counting, not_counting = Weights(**lately, use=0.01), Weights(**lately, use=0.0)
    assert contents(await mind.recall("", counting, deaf=True, limit=1)) == [older.content]
    assert contents(await mind.recall("", not_counting, deaf=True, limit=1)) == [newer.content]
    assert (await mind.recall("", not_counting, deaf=True, limit=1)).path == "every"


async def test_whoever_lives_in_another_time_says_when_it_is(mind: Minded, episode: Make) -> None:
    ahead = timedelta(days=365_000)
    first, second = episode(0, "breakfast"), episode(1, "lunch")
    future = [
        Episode(id=each.id, occurred_at=each.occurred_at + ahead, content=each.content)
        for each in (second, first)
    ]
    await mind.keep(future)
    lately = Weights(dense=0, lexical=0, affect=0, importance=0, use=0, recency=1.0, recency_days=0.01)
    now = await mind.recall("", lately, deaf=True)
    assert {each.score for each in now.episodes} == {1.0}, "both are to come"
    then = await mind.recall("", lately, deaf=True, present=second.occurred_at + ahead)
    assert contents(then) == ["lunch", "breakfast"]


async def test_components_add_up_to_the_score(mind: Minded, episode: Make) -> None:
    await mind.keep([episode(i, text, importance=i / 4, valence=0.1) for i, text in enumerate(ANIMALS)])
    weights = Weights()
    for each in (await mind.recall("dogs and cats", weights, explain=True, valence=0.5)).episodes:
        parts = each.components
        assert parts is not None
        assert parts.affect is not None
        total = sum(
            getattr(weights, name) * (getattr(parts, name) or 0.0)
            for name in ("dense", "lexical", "affect", "recency", "importance", "use")
        )
        assert each.score == pytest.approx(total, abs=1e-6)
        assert all(0 <= (getattr(parts, name) or 0) <= 1 for name in parts.__struct_fields__)


async def test_what_is_over_is_not_recalled_but_was_true_then(mind: Minded, episode: Make) -> None:
    past = episode(0, "the office is in Bonn", valid_to=episode(100).occurred_at)
    await mind.keep([past, episode(100, "the office is in Berlin")])
    assert contents(await mind.recall("where is the office")) == ["the office is in Berlin"]
    then = await mind.recall("where is the office", as_of=episode(50).occurred_at)
    assert contents(then) == ["the office is in Bonn"]


async def test_namespaces_do_not_see_each_other(mind: Minded, episode: Make) -> None:
    await mind.keep([episode(1, "secret")], "work")
    assert await mind.recall("secret") == Recalled((), "exact", exhausted=True)


@pytest.mark.parametrize("text", ["", " ", "' OR true --", "\\", "a & | ! b", "the of and", "🜁"])
async def test_any_text_may_be_looked_for(mind: Minded, episode: Make, text: str) -> None:
    await mind.keep([episode(i, content) for i, content in enumerate(ANIMALS)])
    assert len((await mind.recall(text, limit=4)).episodes) == 4
