from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from emily_contracts import Episode
from emily_contracts.curation import EditRequest, ForgetRequest, ListRequest, ShowRequest
from emily_memory.curation.correcting import edit, forget
from emily_memory.curation.reading import cursor_of, list_memories, place, show
from emily_memory.errors import MemoryRefused
from emily_memory.testing import Home
from hypothesis import given
from hypothesis import strategies as st

Make = Callable[..., Episode]


async def pages(home: Home, limit: int) -> list[list[UUID]]:
    seen: list[list[UUID]] = []
    after = None
    while True:
        page = await list_memories(home.database, ListRequest(namespace="home", limit=limit, after=after))
        seen.append([each.id for each in page.memories])
        after = page.next
        if after is None:
            return seen


@pytest.mark.anyio
@pytest.mark.parametrize("limit", [1, 3, 5, 10, 11])
async def test_pages_hold_every_memory_once_newest_first(home: Home, episode: Make, limit: int) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    episodes = [episode(number, occurred_at=at + timedelta(seconds=number // 3)) for number in range(10)]
    await home.remember(*episodes)
    expected = sorted(episodes, key=lambda each: (each.occurred_at, each.id), reverse=True)
    seen = await pages(home, limit)
    assert [identity for page in seen for identity in page] == [each.id for each in expected]
    assert {len(page) for page in seen[:-1]} <= {limit}
    assert seen[-1] != []


@pytest.mark.anyio
async def test_what_comes_in_meanwhile_moves_no_page(home: Home, episode: Make) -> None:
    await home.remember(*(episode(number) for number in range(4)))
    first = await list_memories(home.database, ListRequest(namespace="home", limit=2))
    await home.remember(episode(9))
    second = await list_memories(home.database, ListRequest(namespace="home", limit=2, after=first.next))
    assert [each.content for each in second.memories] == ["moment 1", "moment 0"]


@pytest.mark.anyio
async def test_a_list_selects_by_what_is_given(home: Home, episode: Make) -> None:
    await home.remember(
        episode(1, kind="fact", actor="ann", session="s1", context={"room": "hall", "light": "on"}),
        episode(2, kind="fact", actor="bob", session="s1", context={"room": "hall"}),
        episode(3, kind="dream", actor="ann"),
    )

    async def listed(**selection: object) -> list[str]:
        request = ListRequest(namespace="home", **selection)  # type: ignore[arg-type]
        return [each.content[-1] for each in (await list_memories(home.database, request)).memories]

    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert await listed(kinds=("fact",)) == ["2", "1"]
    assert await listed(kinds=("fact", "dream"), actor="ann") == ["3", "1"]
    assert await listed(session="s1", context={"light": "on"}) == ["1"]
    assert await listed(occurred_from=start + timedelta(seconds=2)) == ["3", "2"]
    assert await listed(occurred_before=start + timedelta(seconds=2)) == ["1"]
    assert await listed(kinds=("nothing",)) == []


@pytest.mark.anyio
async def test_a_list_of_the_forgotten_selects_too_and_leaves_out_what_was_corrected(
    home: Home, episode: Make
) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    over = {"expires_at": start + timedelta(days=1), "valid_to": start + timedelta(days=2)}
    wrong = episode(3, session="s1")
    await home.remember(episode(1, session="s1"), episode(2, session="s1", **over), wrong, episode(4))
    before = datetime.now(UTC)
    right = await edit(home.database, EditRequest(**home.says(wrong.id, content="right 5")))
    for each in (episode(2).id, right.id, episode(4).id):
        await forget(home.database, ForgetRequest(**home.says(each)))

    async def listed(**selection: object) -> list[str]:
        request = ListRequest(namespace="home", archived=True, **selection)  # type: ignore[arg-type]
        return [each.content[-1] for each in (await list_memories(home.database, request)).memories]

    assert await listed() == ["4", "5", "2"]
    assert await listed(session="s1") == ["5", "2"]
    assert await listed(as_of=start + timedelta(days=3), session="s1") == ["5"]
    assert await listed(known_at=before, session="s1") == ["2"]


@pytest.mark.anyio
async def test_a_memory_is_shown_with_its_record(home: Home, episode: Make) -> None:
    origin, waits = episode(1), episode(2)
    summary = episode(3, valence=-0.25, importance=0.3, pinned=True, context={"a": "b"})
    await home.remember(origin, summary)
    await home.remember(waits, embedded=False)
    await home.derive(summary, origin)
    await home.use(summary, 3)
    seen = await show(home.database, ShowRequest(namespace="home", id=summary.id))
    for name in Episode.__struct_fields__:
        if name != "valid_from":
            assert getattr(seen, name) == getattr(summary, name), name
    assert (seen.namespace, seen.derived_from, seen.uses) == ("home", (origin.id,), 3)
    assert seen.embedded_in == (home.embedder.space.key,)
    assert (await show(home.database, ShowRequest(namespace="home", id=waits.id))).embedded_in == ()


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_cursor_tells_the_place_that_it_was_made_of(at: datetime, identity: UUID) -> None:
    assert place(cursor_of(at, identity)) == (at, identity)


@given(st.text(max_size=48))
def test_any_other_cursor_is_refused_by_name(text: str) -> None:
    with pytest.raises(MemoryRefused, match=r"^after: "):
        place(f"{text}!")


@pytest.mark.parametrize(
    "cursor", ["", "AAAA", cursor_of(datetime(2026, 1, 1, tzinfo=UTC), UUID(int=1))[:-4], "f" * 32]
)
def test_a_cursor_that_is_cut_or_beyond_all_time_is_refused(cursor: str) -> None:
    with pytest.raises(MemoryRefused, match=r"^after: "):
        place(cursor)
