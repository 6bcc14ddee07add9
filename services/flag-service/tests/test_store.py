"""Each change is whole, leaves its trace, and never overwrites another."""

from __future__ import annotations

import anyio
import psycopg
import pytest
from emily_flag_service.errors import NoSuchFlag, Outdated
from emily_flag_service.store.entry import Entry, due
from emily_flag_service.store.store import Store
from emily_flags import Flag, InvalidFlag, parse_flag
from emily_flags.testing import METADATA, define

pytestmark = pytest.mark.anyio


async def put(store: Store, flag: Flag, expected: int = 0, author: str = "ann") -> int:
    change = await store.put(flag, expected=expected, author=author, reason="why")
    return 0 if change is None else change.revision


async def test_a_flag_is_kept_as_it_was_written(store: Store) -> None:
    definition = define(variants={"zz": 1.0, "a": 2}, defaultVariant="zz")
    assert await put(store, parse_flag("a", definition)) == 1
    revision, entries = await store.read()
    assert revision == 1
    kept = entries["a"].definition
    assert kept == definition
    assert kept is not None
    assert list(kept["variants"]) == ["zz", "a"]
    assert type(kept["variants"]["zz"]) is float


async def test_history_tells_who_changed_what_and_why(store: Store) -> None:
    await put(store, parse_flag("a", define()))
    await put(store, parse_flag("a", define(state="DISABLED")), 1, "bob")
    await store.delete("a", expected=2, author="ann", reason="done")
    await put(store, parse_flag("a", define()))
    changes = await store.history("a", limit=10)
    assert [(each.revision, each.version, each.action, each.author) for each in changes] == [
        (4, 4, "created", "ann"),
        (3, 3, "deleted", "ann"),
        (2, 2, "changed", "bob"),
        (1, 1, "created", "ann"),
    ]
    assert changes[2].before == define()
    assert changes[2].after == define(state="DISABLED")
    assert changes[1].after is None
    assert changes[1].reason == "done"
    assert len(await store.history("a", limit=1)) == 1
    with pytest.raises(NoSuchFlag):
        await store.history("b", limit=1)


async def test_history_can_not_be_rewritten(store: Store, url: str) -> None:
    await put(store, parse_flag("a", define()))
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in ("DELETE FROM flags.change", "UPDATE flags.change SET author = 'eve'"):
            with pytest.raises(psycopg.errors.RaiseException, match="not rewritten"):
                connection.execute(statement)


async def test_what_is_so_already_leaves_no_trace(store: Store) -> None:
    await put(store, parse_flag("a", define()))
    assert await put(store, parse_flag("a", define()), 1) == 0
    assert await store.revision() == 1


async def test_another_version_is_not_overwritten(store: Store) -> None:
    flag = parse_flag("a", define())
    with pytest.raises(Outdated, match="expected version 1, but it is not there"):
        await put(store, flag, 1)
    await put(store, flag)
    for expected in (0, 2):
        with pytest.raises(Outdated, match="it is version 1"):
            await put(store, parse_flag("a", define(state="DISABLED")), expected)
    with pytest.raises(Outdated):
        await store.delete("a", expected=2, author="ann", reason="")
    assert (await store.read())[1]["a"].definition == define()


async def test_of_many_who_change_at_once_one_wins(store: Store) -> None:
    await put(store, parse_flag("a", define()))
    results: list[str] = []

    async def change(number: int) -> None:
        flag = parse_flag("a", define(metadata=METADATA | {"owner": f"owner {number}"}))
        try:
            await put(store, flag, 1)
        except Outdated:
            results.append("outdated")
        else:
            results.append("won")

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(change, number)
    assert sorted(results) == ["outdated"] * 9 + ["won"]
    assert await store.revision() == 2


async def test_many_flags_changed_at_once_leave_no_gap(store: Store) -> None:
    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(put, store, parse_flag(f"f{number}", define()))
    revision, entries = await store.read()
    assert (revision, len(entries)) == (20, 20)


async def test_what_does_not_fit_with_the_others_changes_nothing(store: Store) -> None:
    needy = parse_flag("a", define(metadata=METADATA | {"prerequisites": "b=on"}))
    with pytest.raises(InvalidFlag, match=r"flags\.a\.metadata\.prerequisites: there is no flag 'b'"):
        await put(store, needy)
    await put(store, parse_flag("b", define()))
    await put(store, needy)
    with pytest.raises(InvalidFlag, match="there is no flag 'b'"):
        await store.delete("b", expected=1, author="ann", reason="")
    looping = parse_flag("b", define(metadata=METADATA | {"prerequisites": "a=on"}))
    with pytest.raises(InvalidFlag, match="loops"):
        await put(store, looping, 1)
    assert await store.revision() == 2


async def test_files_are_taken_over_until_people_change_the_flag(store: Store) -> None:
    first, second, third = (parse_flag("a", define(metadata=METADATA | {"n": n})) for n in range(3))
    assert await store.take_over({"a": first}, author="file") == (["a"], [])
    assert await store.take_over({"a": first}, author="file") == ([], [])
    assert await store.take_over({"a": second}, author="file") == (["a"], [])
    await put(store, parse_flag("a", define(state="DISABLED")), 2)
    assert await store.take_over({"a": second}, author="file") == ([], [])
    assert await store.take_over({"a": third}, author="file") == ([], ["a"])
    await store.delete("a", expected=3, author="ann", reason="")
    assert await store.take_over({"a": second}, author="file") == ([], [])
    assert (await store.read())[1]["a"].definition is None


async def test_files_that_do_not_fit_change_nothing(store: Store) -> None:
    await put(store, parse_flag("b", define(variants={"x": True}, defaultVariant="x")))
    good = parse_flag("good", define())
    needy = parse_flag("a", define(metadata=METADATA | {"prerequisites": "b=on"}))
    with pytest.raises(InvalidFlag, match="'on' is no variant of b"):
        await store.take_over({"good": good, "a": needy}, author="file")
    assert (await store.read())[1].keys() == {"b"}


def test_a_flag_that_people_made_before_the_file_stays_theirs() -> None:
    entry = Entry(key="a", version=1, definition=define(state="DISABLED"))
    assert due({"a": entry}, {"a": parse_flag("a", define())}) == ([], ["a"])
