from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from emily_contracts import Episode
from emily_contracts.curation import (
    EditRequest,
    ForgetRequest,
    History,
    ListRequest,
    Memory,
    ShowRequest,
    SupersedeRequest,
)
from emily_memory.curation.correcting import edit, forget, supersede
from emily_memory.curation.reading import history, list_memories, show
from emily_memory.errors import MemoryRefused, NotFound
from emily_memory.testing import Home
from emily_memory.upkeep.tiering import drain

pytestmark = pytest.mark.anyio

Make = Callable[..., Episode]
HOSTILE = ["'; DROP TABLE episode; --", "$$ \\ %s {} \x01 \u202e", "a'b\"c`d", "\t\n\r", "\\N", '{"a": null}']


async def listed(home: Home, **selection: object) -> list[str]:
    request = ListRequest(namespace=home.namespace, **selection)  # type: ignore[arg-type]
    return [each.content for each in (await list_memories(home.database, request)).memories]


async def corrected(home: Home, memory: Episode, **fields: object) -> Memory:
    return await edit(home.database, EditRequest(**home.says(memory.id, **fields)))


async def told(home: Home, memory: Episode) -> History:
    return await history(home.database, ShowRequest(namespace=home.namespace, id=memory.id))


async def test_an_edit_retracts_the_old_version_and_keeps_what_is_not_given(
    home: Home, episode: Make
) -> None:
    old = episode(1, "the cat is black", importance=0.9, context={"room": "kitchen"}, actor="ann")
    await home.remember(old)
    await home.use(old, 7)
    new = await corrected(home, old, content="the cat is grey", reason="looked again")
    before = await show(home.database, ShowRequest(namespace="home", id=old.id))
    assert before.content == "the cat is black"
    assert (before.retracted_at, before.superseded_by) == (new.recorded_at, new.id)
    assert (new.content, new.importance, new.context) == ("the cat is grey", 0.9, {"room": "kitchen"})
    assert (new.actor, new.uses, new.occurred_at, new.valid_from) == (
        "ann",
        7,
        old.occurred_at,
        old.occurred_at,
    )
    assert await listed(home) == ["the cat is grey"]


async def test_what_is_set_to_nothing_is_unknown_afterwards(home: Home, episode: Make) -> None:
    old = episode(1, valence=0.5, actor="ann", expires_at=datetime(2999, 1, 1, tzinfo=UTC))
    await home.remember(old)
    new = await corrected(home, old, valence=None, actor=None, expires_at=None)
    assert (new.valence, new.actor, new.expires_at) == (None, None, None)


async def test_other_content_waits_for_a_vector_of_its_own(home: Home, episode: Make) -> None:
    old = episode(1, "black")
    await home.remember(old)
    new = await corrected(home, old, content="grey")
    assert await home.vectors() == {}
    assert await home.waiting() == {new.id}


@pytest.mark.parametrize("drained", [False, True])
async def test_the_same_content_takes_its_vector_along(home: Home, episode: Make, drained: bool) -> None:
    old = episode(1)
    await home.remember(old)
    if drained:
        async with home.database.writer.connection() as connection:
            await drain(connection, home.embedder.space)
    new = await corrected(home, old, importance=1.0, kind="fact", actor="ann")
    assert await home.vectors() == {new.id: "hot"}
    assert new.embedded_in == (home.embedder.space.key,)
    key = home.embedder.space.key
    assert await home.rows(f"SELECT kind, actor FROM memory.hot_{key}") == [("fact", "ann")]


async def test_who_waited_for_a_vector_goes_on_waiting_as_its_correction(home: Home, episode: Make) -> None:
    old = episode(1)
    await home.remember(old, embedded=False)
    new = await corrected(home, old, pinned=True)
    assert await home.waiting() == {new.id}


async def test_the_record_of_any_time_is_what_was_believed_then(home: Home, episode: Make) -> None:
    first = episode(1, "one")
    await home.remember(first)
    second = await corrected(home, first, content="two")
    third = await corrected(home, second, content="three")
    recorded = (await show(home.database, ShowRequest(namespace="home", id=first.id))).recorded_at
    just = timedelta(microseconds=1)
    assert await listed(home, known_at=recorded - just) == []
    assert await listed(home, known_at=recorded) == ["one"]
    assert await listed(home, known_at=second.recorded_at - just) == ["one"]
    assert await listed(home, known_at=second.recorded_at) == ["two"]
    assert await listed(home, known_at=third.recorded_at) == ["three"]


async def test_edits_of_edits_are_one_history_from_wherever_one_asks(home: Home, episode: Make) -> None:
    first = episode(1, "one")
    await home.remember(first, episode(2, "another"))
    second = await corrected(home, first, content="two", reason="a")
    third = await corrected(home, second, content="three", reason="b")
    for version in (first, second, third):
        seen = await told(home, version)
        assert [each.content for each in seen.versions] == ["one", "two", "three"]
        assert [(each.did, each.id, each.other, each.reason) for each in seen.changes] == [
            ("edited", first.id, second.id, "a"),
            ("edited", second.id, third.id, "b"),
        ]


async def test_a_request_that_comes_twice_corrects_once(home: Home, episode: Make) -> None:
    old = episode(1)
    await home.remember(old)
    request = EditRequest(**home.says(old.id, content="corrected"))
    assert await edit(home.database, request) == await edit(home.database, request)
    again = SupersedeRequest(**home.says((await edit(home.database, request)).id, content="later"))
    assert await supersede(home.database, again) == await supersede(home.database, again)
    assert len((await told(home, old)).changes) == 2


async def test_a_corrected_version_can_not_be_corrected_again(home: Home, episode: Make) -> None:
    old = episode(1)
    await home.remember(old)
    new = await corrected(home, old, content="corrected")
    for attempt in (
        edit(home.database, EditRequest(**home.says(old.id, content="differently"))),
        supersede(home.database, SupersedeRequest(**home.says(old.id, content="differently"))),
        forget(home.database, ForgetRequest(**home.says(old.id))),
    ):
        with pytest.raises(MemoryRefused, match=f"memory_id: {old.id} was corrected .* take {new.id}"):
            await attempt


async def test_an_edit_to_what_another_memory_holds_is_refused_and_changes_nothing(
    home: Home, episode: Make
) -> None:
    one, other = episode(1, "one"), episode(1, "other", id=episode(2).id)
    await home.remember(one, other)
    with pytest.raises(MemoryRefused, match=f"^content: memory {other.id} holds the same"):
        await corrected(home, one, content="other")
    assert sorted(await listed(home)) == ["one", "other"]
    assert (await told(home, one)).changes == ()


async def test_an_edit_back_to_what_was_believed_before_is_a_new_version(home: Home, episode: Make) -> None:
    first = episode(1, "one")
    await home.remember(first)
    second = await corrected(home, first, content="two")
    await corrected(home, second, content="one")
    assert [each.content for each in (await told(home, first)).versions] == ["one", "two", "one"]


async def test_an_edit_without_a_change_or_with_one_that_does_not_fit_is_refused(
    home: Home, episode: Make
) -> None:
    old = episode(1)
    await home.remember(old)
    with pytest.raises(MemoryRefused, match=r"^fields: nothing to change"):
        await corrected(home, old)
    with pytest.raises(MemoryRefused, match=r"^importance"):
        await corrected(home, old, importance=float("nan"))
    assert (await told(home, old)).changes == ()


async def test_what_is_superseded_held_until_the_new_truth(home: Home, episode: Make) -> None:
    old = episode(1, "lives in Bern")
    await home.remember(old)
    moved = datetime(2026, 3, 1, tzinfo=UTC)
    new = await supersede(
        home.database, SupersedeRequest(**home.says(old.id, content="lives in Rome", valid_from=moved))
    )
    assert (new.valid_from, new.valid_to) == (moved, None)
    assert await listed(home) == ["lives in Rome"]
    assert await listed(home, as_of=moved - timedelta(microseconds=1)) == ["lives in Bern"]
    assert await listed(home, as_of=moved) == ["lives in Rome"]
    assert await listed(home, as_of=old.occurred_at - timedelta(seconds=1)) == []
    assert await home.waiting() == {new.id}
    assert old.id in await home.vectors()


async def test_what_was_superseded_can_still_be_corrected_about_its_own_time(
    home: Home, episode: Make
) -> None:
    old = episode(1, "lives in Bern")
    await home.remember(old)
    new = await supersede(home.database, SupersedeRequest(**home.says(old.id, content="lives in Rome")))
    fixed = await corrected(home, old, content="lives in Basel")
    assert (fixed.valid_to, fixed.superseded_by) == (new.valid_from, new.id)
    assert await listed(home) == ["lives in Rome"]
    assert await listed(home, as_of=old.occurred_at) == ["lives in Basel"]
    seen = await told(home, new)
    assert [each.content for each in seen.versions] == ["lives in Bern", "lives in Rome", "lives in Basel"]


async def test_a_memory_is_superseded_once_and_from_after_its_beginning(home: Home, episode: Make) -> None:
    old = episode(1)
    await home.remember(old)
    with pytest.raises(MemoryRefused, match=r"^valid_from: .* is not after"):
        await supersede(
            home.database, SupersedeRequest(**home.says(old.id, content="x", valid_from=old.occurred_at))
        )
    new = await supersede(home.database, SupersedeRequest(**home.says(old.id, content="x")))
    with pytest.raises(MemoryRefused, match=f"^memory_id: {new.id} stands in place of {old.id}"):
        await supersede(home.database, SupersedeRequest(**home.says(old.id, content="y")))


async def test_what_is_forgotten_is_listed_apart_and_has_no_vectors_until_it_is_restored(
    home: Home, episode: Make
) -> None:
    old = episode(1, "secret", pinned=True)
    await home.remember(old, episode(2, "plain"))
    gone = await forget(home.database, ForgetRequest(**home.says(old.id, reason="asked to")))
    again = await forget(home.database, ForgetRequest(**home.says(old.id)))
    assert gone.archived_at == again.archived_at is not None
    assert (await listed(home), await listed(home, archived=True)) == (["plain"], ["secret"])
    assert old.id not in await home.vectors()
    with pytest.raises(MemoryRefused, match="is forgotten; restore it first"):
        await corrected(home, old, content="else")
    back = await forget(home.database, ForgetRequest(**home.says(old.id, restore=True)))
    assert back.archived_at is None
    assert await home.waiting() == {old.id}
    assert (await listed(home), await listed(home, archived=True)) == (["plain", "secret"], [])
    assert [each.did for each in (await told(home, old)).changes] == ["forgotten", "restored"]


async def test_what_is_restored_after_its_expiry_stays(home: Home, episode: Make) -> None:
    old = episode(1, "short", expires_at=datetime(2026, 1, 2, tzinfo=UTC))
    await home.remember(old)
    await forget(home.database, ForgetRequest(**home.says(old.id)))
    await forget(home.database, ForgetRequest(**home.says(old.id, restore=True)))
    assert await listed(home) == ["short"]


async def test_what_is_not_there_or_elsewhere_is_named_with_its_namespace(home: Home, episode: Make) -> None:
    foreign = episode(1)
    await Home(home.database, home.embedder, "work").remember(foreign)
    for attempt in (
        show(home.database, ShowRequest(namespace="home", id=foreign.id)),
        history(home.database, ShowRequest(namespace="home", id=foreign.id)),
        edit(home.database, EditRequest(**home.says(foreign.id, content="x"))),
        supersede(home.database, SupersedeRequest(**home.says(foreign.id, content="x"))),
        forget(home.database, ForgetRequest(**home.says(foreign.id))),
    ):
        with pytest.raises(NotFound, match=f"{foreign.id} in home"):
            await attempt
    assert await home.rows("SELECT content, archived_at FROM episode") == [(foreign.content, None)]


@pytest.mark.parametrize("text", HOSTILE)
async def test_every_text_is_kept_as_it_is(home: Home, episode: Make, text: str) -> None:
    old = episode(1)
    await home.remember(old)
    new = await corrected(home, old, content=text, context={text: text}, reason=text)
    later = await supersede(
        home.database, SupersedeRequest(**home.says(new.id, content=text + text, reason=text))
    )
    await forget(home.database, ForgetRequest(**home.says(later.id, reason=text)))
    seen = await told(home, old)
    assert [each.content for each in seen.versions] == [old.content, text, text + text]
    assert [each.context for each in seen.versions[1:]] == [{text: text}] * 2
    assert [each.reason for each in seen.changes] == [text] * 3
    assert await listed(home, **{"archived": True, "context": {text: text}}) == [text + text]
