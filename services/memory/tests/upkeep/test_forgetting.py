from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from emily_contracts import Episode
from emily_contracts.curation import EditRequest, ForgetRequest
from emily_contracts.upkeeping import Tidying
from emily_memory.curation.correcting import edit, forget
from emily_memory.store.word_counts import count_words
from emily_memory.testing import Home
from emily_memory.upkeep import forgetting
from emily_memory.upkeep.forgetting import Policy, tidy, tidy_some
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.anyio

Make = Callable[..., Episode]
MONTH = Policy(purge_after=timedelta(days=30))
NOTHING = Tidying(dry_run=False)


def later(episode: Make, **length: float) -> datetime:
    """After the tests' beginning of time."""
    return episode(0).occurred_at + timedelta(**length)


async def held(home: Home) -> set[str]:
    return {
        content for (content,) in await home.rows("SELECT content FROM episode WHERE archived_at IS NULL")
    }


async def changes(home: Home) -> list[tuple[str, str]]:
    return [tuple(row) for row in await home.rows("SELECT did, reason FROM change ORDER BY number")]


async def test_what_expired_is_archived_without_its_vectors_and_the_rest_stays(
    home: Home, episode: Make
) -> None:
    brief = episode(1, "the code is 1234", expires_at=later(episode, days=1))
    lasting = episode(2, "the door is green", expires_at=later(episode, days=3))
    await home.remember(brief, lasting, episode(3))
    assert await tidy(home.database, MONTH, later(episode, days=2)) == Tidying(expired=1, dry_run=False)
    assert await held(home) == {"the door is green", "moment 3"}
    assert set(await home.vectors()) == {lasting.id, episode(3).id}
    assert await changes(home) == [("expired", "")]


async def test_what_waits_for_a_vector_waits_no_more_once_it_expired(home: Home, episode: Make) -> None:
    await home.remember(episode(1, expires_at=later(episode, days=1)), embedded=False)
    await tidy(home.database, MONTH, later(episode, days=2))
    assert await home.waiting() == set()


async def test_what_was_archived_longer_than_the_grace_leaves_nothing_but_that_it_did(
    home: Home, episode: Make
) -> None:
    await home.remember(episode(1, "a secret word", expires_at=later(episode, days=1)))
    await home.rows("UPDATE episode SET recorded_at = recorded_at - interval '1 minute'")
    async with home.database.writer.connection() as connection:
        await count_words(connection)
    await tidy(home.database, MONTH, later(episode, days=2))
    assert await tidy(home.database, MONTH, later(episode, days=32)) == NOTHING
    purge = await tidy(home.database, MONTH, later(episode, days=33))
    assert purge == Tidying(purged=1, dry_run=False)
    assert await home.rows("SELECT content FROM episode") == []
    assert await home.rows("SELECT lexeme FROM word") == []
    assert await changes(home) == [("expired", ""), ("purged", "")]


async def test_what_was_corrected_goes_with_its_correction(home: Home, episode: Make) -> None:
    await home.remember(episode(1, "her number is 555"), episode(2))
    first = await edit(
        home.database, EditRequest(**home.says(episode(1).id, content="her number is 556", reason="556!"))
    )
    await edit(home.database, EditRequest(**home.says(first.id, expires_at=later(episode, days=1))))
    await tidy(home.database, MONTH, later(episode, days=2))
    assert await tidy(home.database, MONTH, later(episode, days=40)) == Tidying(
        purged=1, versions=2, dry_run=False
    )
    assert await home.rows("SELECT content FROM episode") == [("moment 2",)]
    assert {reason for _, reason in await changes(home)} == {""}


async def test_what_is_pinned_stays_until_a_person_forgets_it(home: Home, episode: Make) -> None:
    pinned = episode(1, "her birthday", pinned=True, expires_at=later(episode, days=1))
    await home.remember(pinned, episode(2), episode(3))
    crowd = Policy(purge_after=timedelta(days=30), budget=1)
    far = later(episode, days=4000)
    assert await tidy(home.database, crowd, far) == Tidying(displaced=2, dry_run=False)
    await forget(home.database, ForgetRequest(**home.says(pinned.id)))
    assert await tidy(home.database, crowd, far) == Tidying(purged=1, dry_run=False)
    assert await home.rows("SELECT id FROM episode WHERE id = %s", pinned.id) == []


async def test_beyond_a_budget_the_least_worth_go_and_other_namespaces_keep_theirs(
    home: Home, episode: Make
) -> None:
    work = Home(home.database, home.embedder, "work")
    await work.remember(episode(100), episode(101))
    now = later(episode, days=60)
    known = [
        (episode(i, importance=importance, occurred_at=now - timedelta(days=age)), uses, age)
        for i, (importance, uses, age) in enumerate(
            [
                (0.9, 0, 900),
                (0.1, 0, 1),
                (0.4, 0, 1),
                (0.4, 0, 100),
                (0.1, 50, 400),
                (0.0, 0, 0),
                (0.5, 3, 30),
            ]
        )
    ]
    await home.remember(*(each for each, _, _ in known))
    for each, uses, age in known:
        if uses:
            await home.use(each, uses)
            await home.rows("UPDATE usage SET used_at = %s WHERE id = %s", now - timedelta(days=age), each.id)

    def worth(importance: float, uses: int, age: float) -> float:
        used = math.log1p(uses) / (1 + math.log1p(uses))
        return (importance + used) / 2 * (1 + math.exp(-age / 30)) / 2

    best = sorted(known, key=lambda each: worth(each[0].importance, each[1], each[2]), reverse=True)
    for budget in (5, 3, 2):
        tidied = await tidy(home.database, Policy(purge_after=timedelta(days=30), budget=budget), now)
        assert tidied.displaced > 0
        assert await held(home) == {each.content for each, _, _ in best[:budget]} | {
            "moment 100",
            "moment 101",
        }


async def test_a_namespace_can_be_tidied_alone(home: Home, episode: Make) -> None:
    work = Home(home.database, home.embedder, "work")
    for number, each in enumerate((home, work)):
        await each.remember(episode(number, expires_at=later(episode, days=1)))
    tidied = await tidy(home.database, MONTH, later(episode, days=2), namespace="work")
    assert tidied == Tidying(expired=1, dry_run=False)
    assert await held(home) == {"moment 0"}


async def test_tidying_many_says_that_there_is_more_and_does_the_rest_when_asked_again(
    home: Home, episode: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "ROWS", 2)
    await home.remember(*(episode(number, expires_at=later(episode, days=1)) for number in range(5)))
    now = later(episode, days=2)
    answers = [await tidy(home.database, MONTH, now, patience_s=0)]
    while answers[-1].more:
        answers.append(await tidy(home.database, MONTH, now, patience_s=0))
    assert [each.expired for each in answers] == [2, 2, 1, 0]
    assert await held(home) == set()


MEMORIES = st.lists(
    st.tuples(
        st.sampled_from(["home", "work"]),
        st.booleans(),
        st.none() | st.integers(-5, 5),
        st.none() | st.integers(-60, 0),
        st.sampled_from([0.0, 0.5, 1.0]),
    ),
    max_size=12,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    memories=MEMORIES,
    budget=st.none() | st.integers(1, 4),
    grace=st.integers(0, 40),
    rows=st.integers(1, 3),
    batches=st.integers(0, 4),
)
async def test_a_dry_run_counts_what_runs_of_any_size_do_and_nothing_is_left_to_do(
    home: Home,
    episode: Make,
    memories: list[tuple[str, bool, int | None, int | None, float]],
    budget: int | None,
    grace: int,
    rows: int,
    batches: int,
) -> None:
    now = later(episode, days=100)
    await home.rows("TRUNCATE memory.episode, memory.change CASCADE")
    for number, (namespace, pinned, expires, archived, importance) in enumerate(memories):
        each = episode(
            number,
            pinned=pinned,
            importance=importance,
            expires_at=None if expires is None else now + timedelta(days=expires),
        )
        await Home(home.database, home.embedder, namespace).remember(each, embedded=False)
        if archived is not None:
            at = now + timedelta(days=archived)
            await home.rows("UPDATE episode SET archived_at = %s WHERE id = %s", at, each.id)
    policy = Policy(purge_after=timedelta(days=grace), budget=budget)
    expected = await tidy(home.database, policy, now, dry_run=True)
    assert await changes(home) == []
    done = []
    async with home.database.writer.connection() as connection:
        done += [await tidy_some(connection, policy, now, rows=rows) for _ in range(batches)]
    done.append(await tidy(home.database, policy, now))
    for count in ("expired", "displaced", "purged", "versions"):
        assert sum(getattr(each, count) for each in done) == getattr(expected, count)
    assert await tidy(home.database, policy, now) == NOTHING


@pytest.mark.parametrize(
    "fields", [{"budget": 0}, {"purge_after": timedelta(days=-1)}], ids=["budget", "purge_after"]
)
def test_a_policy_names_what_is_out_of_bounds(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        Policy(**fields)  # type: ignore[arg-type]  # what settings might hold
