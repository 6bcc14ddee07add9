from __future__ import annotations

import math
from collections.abc import Callable

import anyio
import pytest
from emily_contracts import Episode
from emily_contracts.curation import EditRequest, EraseRequest, Erasure, SupersedeRequest
from emily_memory.curation import erasing
from emily_memory.curation.correcting import edit, supersede
from emily_memory.curation.erasing import erase
from emily_memory.embedding.hashing import HashingEmbedder
from emily_memory.embedding.space import Space
from emily_memory.store import spaces
from emily_memory.store.word_counts import count_words
from emily_memory.testing import Home
from emily_memory.upkeep.tiering import drain
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.anyio

Make = Callable[..., Episode]
ELSEWHERE = Space(provider="other", model="other", sha256="f" * 64, dimension=2, semantic=True)


async def erased(home: Home, actor: str, *, dry_run: bool = False, patience_s: float = math.inf) -> Erasure:
    request = EraseRequest(**home.says(actor=actor, dry_run=dry_run))
    return await erase(home.database, request, patience_s=patience_s)


async def held(home: Home) -> set[str]:
    return {content for (content,) in await home.rows("SELECT content FROM episode")}


async def test_a_dry_run_counts_what_an_erasure_removes_and_removes_nothing(
    home: Home, episode: Make
) -> None:
    own, other = episode(1, actor="ann"), episode(2, actor="bob")
    summary = episode(3, "of both", kind="summary")
    await home.remember(own, other, summary)
    await home.derive(summary, own, other)
    assert await erased(home, "ann", dry_run=True) == Erasure(memories=1, derived=1, vectors=2, dry_run=True)
    assert len(await home.vectors()) == 3
    assert await erased(home, "ann") == Erasure(memories=1, derived=1, vectors=2, dry_run=False, left=0)
    assert await held(home) == {"moment 2"}
    assert set(await home.vectors()) == {other.id}


async def test_every_version_goes_also_those_that_name_somebody_else(home: Home, episode: Make) -> None:
    one = episode(1, "first", actor="ann")
    await home.remember(one, episode(2, "kept"))
    two = await edit(home.database, EditRequest(**home.says(one.id, content="second")))
    three = await supersede(home.database, SupersedeRequest(**home.says(two.id, content="third")))
    await edit(home.database, EditRequest(**home.says(three.id, actor=None, content="fourth")))
    answer = await erased(home, "ann")
    assert (answer.memories, answer.derived, answer.left) == (4, 0, 0)
    assert await held(home) == {"kept"}
    assert await home.waiting() == set()


async def test_what_was_derived_from_the_derived_goes_in_every_version_too(home: Home, episode: Make) -> None:
    own, other = episode(1, "own", actor="ann"), episode(2, "other", actor="bob")
    summary, year = episode(3, "summary"), episode(4, "year")
    await home.remember(own, other, summary, year)
    await home.derive(summary, own, other)
    await home.derive(year, summary)
    await edit(home.database, EditRequest(**home.says(year.id, content="the year")))
    answer = await erased(home, "ann")
    assert (answer.memories, answer.derived, answer.left) == (1, 3, 0)
    assert await held(home) == {"other"}


async def test_what_a_merge_replaced_stays_when_it_is_about_somebody_else(home: Home, episode: Make) -> None:
    own, other, merged = (
        episode(1, "own", actor="ann"),
        episode(2, "other", actor="bob"),
        episode(3, "merged"),
    )
    await home.remember(own, other, merged)
    await home.derive(merged, own, other)
    await home.rows(
        "UPDATE episode SET retracted_at = now(), superseded_by = %s WHERE id = ANY(%s)",
        merged.id,
        [own.id, other.id],
    )
    answer = await erased(home, "ann")
    assert (answer.memories, answer.derived, answer.left) == (1, 1, 0)
    assert await home.rows("SELECT content, superseded_by FROM episode") == [("other", None)]


async def test_nothing_of_the_content_is_left_in_any_table(home: Home, episode: Make) -> None:
    own, other = episode(1, "zanzibar shared", actor="ann"), episode(2, "shared plain", actor="bob")
    await home.remember(own, other)
    await home.use(own, 3)
    new = await edit(home.database, EditRequest(**home.says(own.id, content="quagga", reason="not zanzibar")))
    async with home.database.writer.connection() as connection:
        await connection.execute("UPDATE episode SET recorded_at = recorded_at - interval '1 minute'")
        await spaces.register(connection, ELSEWHERE)
        await connection.execute(
            b"INSERT INTO memory.vector_"
            + ELSEWHERE.key.encode()
            + b" SELECT id, namespace, kind, actor, occurred_at,"
            b" '[1, 2]' FROM episode"
        )
        await count_words(connection)
    answer = await erased(home, "ann")
    assert (answer.memories, answer.left) == (2, 0)
    assert answer.vectors == 2
    assert await home.rows("SELECT id FROM usage") == []
    assert sorted(await home.rows("SELECT lexeme, episodes FROM word")) == [("plain", 1), ("share", 1)]
    assert await home.rows("SELECT episodes, words FROM corpus") == [(1, 2)]
    tables = await home.rows(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'memory' AND tablename <> 'migration'"
    )
    for (table,) in tables:
        text = str(await home.rows(f"SELECT t::text FROM memory.{table} t"))
        assert "zanzibar" not in text
        assert "quagga" not in text
        assert "ann" not in text
    changes = await home.rows("SELECT did, id, reason FROM change ORDER BY number")
    assert changes[0] == ("edited", own.id, "")
    assert sorted(changes[1:]) == sorted([("erased", own.id, ""), ("erased", new.id, "")])


async def test_another_actor_and_another_namespace_lose_nothing(home: Home, episode: Make) -> None:
    work = Home(home.database, home.embedder, "work")
    await home.remember(episode(1, actor="ann"), episode(2, actor="anna"), episode(3))
    await work.remember(episode(4, "work", actor="ann"))
    assert (await erased(home, "ann")).memories == 1
    assert await held(home) == {"moment 2", "moment 3", "work"}
    assert (await erased(home, "nobody")) == Erasure(memories=0, derived=0, vectors=0, dry_run=False, left=0)


async def test_vectors_in_the_index_go_too(home: Home, embedder: HashingEmbedder, episode: Make) -> None:
    await home.remember(episode(1, actor="ann"), episode(2))
    async with home.database.writer.connection() as connection:
        await drain(connection, embedder.space)
    assert (await erased(home, "ann")).vectors == 1
    assert set((await home.vectors()).values()) == {"indexed"}
    assert len(await home.vectors()) == 1


async def test_an_erasure_of_many_says_how_far_it_came_and_does_the_rest_when_asked_again(
    home: Home, episode: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "ROWS", 2)
    own = [episode(number, actor="ann") for number in range(5)]
    summary = episode(9, "of all", kind="summary", actor="ann")
    await home.remember(*own, summary, episode(10))
    await home.derive(summary, *own)
    counted = await erased(home, "ann", dry_run=True)
    answers = [await erased(home, "ann", patience_s=0)]
    assert (answers[0].more, answers[0].left) == (True, 6 - answers[0].memories)
    while answers[-1].more:
        answers.append(await erased(home, "ann", patience_s=0))
    assert answers[-1].left == 0
    assert len(answers) > 2
    for name in ("memories", "derived", "vectors"):
        assert sum(getattr(each, name) for each in answers) == getattr(counted, name), name
    assert await held(home) == {"moment 10"}
    assert not (await erased(home, "ann", patience_s=0)).more


async def test_an_erasure_that_is_cut_off_keeps_what_it_did_and_can_be_asked_for_again(
    home: Home, episode: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "ROWS", 1)
    await home.remember(*(episode(number, actor="ann") for number in range(300)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(erased, home, "ann")
        while len(await held(home)) == 300:
            await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    left = len(await held(home))
    assert 0 < left < 300
    answer = await erased(home, "ann")
    assert (answer.memories, answer.left, answer.more) == (left, 0, False)
    assert await home.rows("SELECT count(DISTINCT id) FROM change WHERE did = 'erased'") == [(300,)]


async def test_a_dry_run_of_very_many_says_that_it_is_at_least_so_many(
    home: Home, episode: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "MOST_COUNTED", 2)
    await home.remember(*(episode(number, actor="ann") for number in range(3)))
    counted = await erased(home, "ann", dry_run=True)
    assert (counted.memories, counted.more) == (2, True)


async def test_why_another_was_superseded_by_what_is_erased_is_not_told_any_more(
    home: Home, episode: Make
) -> None:
    old = episode(1, actor="bob")
    await home.remember(old)
    new = await supersede(
        home.database, SupersedeRequest(**home.says(old.id, content="moved", reason="ann moved"))
    )
    await edit(home.database, EditRequest(**home.says(new.id, actor="ann", reason="ann it is")))
    assert (await erased(home, "ann")).left == 0
    assert await held(home) == {"moment 1"}
    assert await home.rows("SELECT DISTINCT reason FROM change") == [("",)]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    actors=st.lists(st.sampled_from(["ann", "bob", None]), min_size=1, max_size=7),
    corrected=st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6))),
    derived=st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6))),
    rows=st.integers(1, 2),
)
async def test_batches_of_any_size_remove_and_count_what_one_does(
    home: Home,
    episode: Make,
    actors: list[str | None],
    corrected: set[tuple[int, int]],
    derived: set[tuple[int, int]],
    rows: int,
) -> None:
    known = [episode(number, actor=actor) for number, actor in enumerate(actors)]
    outcomes = []
    with pytest.MonkeyPatch.context() as patch:
        for size in (500, rows):
            patch.setattr(erasing, "ROWS", size)
            await home.rows("TRUNCATE memory.episode, memory.change CASCADE")
            await home.remember(*known, embedded=False)
            for old, new in corrected:
                if old < new < len(known):
                    await home.rows(
                        "UPDATE episode SET retracted_at = now(), superseded_by = %s WHERE id = %s",
                        known[new].id,
                        known[old].id,
                    )
            for made, origin in derived:
                if origin < made < len(known):
                    await home.derive(known[made], known[origin])
            counted = await erased(home, "ann", dry_run=True)
            done = await erased(home, "ann")
            assert (done.memories, done.derived, done.left) == (counted.memories, counted.derived, 0)
            outcomes.append((done, await held(home)))
    assert outcomes[0] == outcomes[1]
