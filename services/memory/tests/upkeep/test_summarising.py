from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import numpy as np
import pytest
from emily_contracts import Episode
from emily_contracts.curation import EditRequest, ForgetRequest
from emily_contracts.upkeeping import Consolidation, Tidying
from emily_memory.curation.correcting import edit, forget
from emily_memory.testing import Home
from emily_memory.upkeep.consolidation import Rules, consolidate
from emily_memory.upkeep.extracting import central, sentences
from emily_memory.upkeep.forgetting import Policy, tidy
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.anyio

Make = Callable[..., Episode]
RULES = Rules(over=3, older_than=timedelta(days=7), quoted=2)
TALK = [
    "the garden needs water. it rained.",
    "the garden needs sun",
    "roses in the garden need water!",
    "who won the match?",
    "the garden is green",
]


def talk(episode: Make, first: int = 0, session: str = "talk", **fields: Any) -> list[Episode]:
    return [episode(first + number, text, session=session, **fields) for number, text in enumerate(TALK)]


async def consolidated(home: Home, episode: Make, *, days: float = 8, dry_run: bool = False) -> Consolidation:
    now = episode(0).occurred_at + timedelta(days=days)
    done = await consolidate(home.database, home.embedder, RULES, now, dry_run=dry_run)
    return msgspec.structs.replace(done, compared=0)


async def summaries(home: Home) -> list[str]:
    return [
        content
        for (content,) in await home.rows(
            "SELECT content FROM episode WHERE kind = 'summary' AND archived_at IS NULL ORDER BY id"
        )
    ]


async def test_an_old_session_is_summed_up_in_its_own_words_and_stays(home: Home, episode: Make) -> None:
    told = talk(episode, actor="ann", importance=0.3, valence=0.5)
    await home.remember(*told, *talk(episode, 100, session="other")[:3])
    expected = Consolidation(summaries=1, summed_up=5, dry_run=True)
    assert await consolidated(home, episode, dry_run=True) == expected
    assert await summaries(home) == []
    assert await consolidated(home, episode) == Consolidation(summaries=1, summed_up=5, dry_run=False)
    (summary,) = await summaries(home)
    quotes = summary.split("\n")
    assert len(quotes) == 2
    assert all(any(quote in text for text in TALK) for quote in quotes)
    assert all("garden" in quote for quote in quotes)
    (row,) = await home.rows(
        "SELECT id, actor, session, importance, valence, occurred_at FROM episode WHERE kind = 'summary'"
    )
    assert row[1:] == ("ann", "talk", pytest.approx(0.3), pytest.approx(0.5), told[-1].occurred_at)
    sources = await home.rows("SELECT origin FROM derivation WHERE derived = %s ORDER BY origin", row[0])
    assert [origin for (origin,) in sources] == [each.id for each in told]
    assert len(await home.vectors()) == 9


async def test_what_is_summed_up_is_not_summed_up_again(home: Home, episode: Make) -> None:
    await home.remember(*talk(episode))
    await consolidated(home, episode)
    assert await consolidated(home, episode) == Consolidation(dry_run=False)
    await home.remember(*(episode(number, f"step {number}", session="talk") for number in range(10, 13)))
    assert await consolidated(home, episode, days=4000) == Consolidation(dry_run=False)
    assert len(await summaries(home)) == 1


async def test_a_session_that_is_young_or_short_is_left_alone(home: Home, episode: Make) -> None:
    await home.remember(*talk(episode)[:3])
    await home.remember(*(episode(number, f"step {number}", session="young") for number in range(10, 15)))
    assert (await consolidated(home, episode, days=6)).summaries == 0
    assert (await consolidated(home, episode)).summaries == 1


async def test_a_summary_quotes_nothing_that_a_person_corrected_or_forgot(home: Home, episode: Make) -> None:
    told = talk(episode)
    await home.remember(*told)
    now = episode(0).occurred_at + timedelta(days=8)
    for change in (0, 1):
        await consolidated(home, episode)
        (before,) = await summaries(home)
        assert TALK[change].split(". ")[0] in before or change
        if change == 0:
            await edit(home.database, EditRequest(**home.says(told[0].id, content="the lawn is dry")))
        else:
            await forget(home.database, ForgetRequest(**home.says(told[1].id)))
        expected = await tidy(home.database, Policy(), now, dry_run=True)
        assert expected.outdated == 1
        assert await tidy(home.database, Policy(), now) == Tidying(outdated=1, dry_run=False)
        assert await summaries(home) == []
    assert (await consolidated(home, episode)).summed_up == 4
    (after,) = await summaries(home)
    assert TALK[1] not in after


async def test_a_summary_that_a_person_forgot_stays_forgotten(home: Home, episode: Make) -> None:
    await home.remember(*talk(episode))
    await consolidated(home, episode)
    ((identity,),) = await home.rows("SELECT id FROM episode WHERE kind = 'summary'")
    await forget(home.database, ForgetRequest(**home.says(identity)))
    assert (await consolidated(home, episode)).summaries == 0
    await tidy(home.database, Policy(), episode(0).occurred_at + timedelta(days=40_000))
    assert await home.rows("SELECT id FROM episode WHERE kind = 'summary'") == []
    assert (await consolidated(home, episode, days=40_000)).summaries == 0


TEXTS = st.lists(st.text("ab. !?\n", max_size=20), max_size=8)


@given(texts=TEXTS)
def test_sentences_are_parts_of_the_texts(texts: list[str]) -> None:
    found = sentences(texts)
    assert len(set(found)) == len(found)
    for sentence in found:
        assert any(sentence in text for text in texts)
        assert "\n" not in sentence


def test_the_central_are_near_the_middle_and_not_alike() -> None:
    angles = np.radians([0, 40, 45, 45, 50, 90])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert list(central(vectors, 1)) == [2]
    assert len(central(vectors, 6)) == 3
    assert list(central(vectors[:0], 3)) == []
