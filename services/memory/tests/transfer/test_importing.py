from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from emily_contracts import Episode, RecallRequest
from emily_contracts.curation import EditRequest, EraseRequest, ForgetRequest, ShowRequest, SupersedeRequest
from emily_memory.curation.correcting import edit, forget, supersede
from emily_memory.curation.erasing import erase
from emily_memory.curation.reading import history, show
from emily_memory.embedding.hashing import HashingEmbedder
from emily_memory.embedding.space import Space
from emily_memory.errors import MemoryRefused
from emily_memory.recall.recaller import Recaller, Sought
from emily_memory.recall.weights import HYBRID
from emily_memory.store import spaces
from emily_memory.store.database import Database, opened
from emily_memory.store.word_counts import count_words
from emily_memory.testing import Home
from emily_memory.transfer.exporting import compressed, export
from emily_memory.transfer.importing import Imported, take_in
from emily_memory.transfer.jsonl import Line, decoded
from emily_memory.upkeep.tiering import drain
from emily_postgres.testing import database
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.anyio

Make = Callable[..., Episode]
OTHER = Space(provider="other", model="other", sha256="f" * 64, dimension=384, semantic=True)


@pytest.fixture
def elsewhere_url(server_url: str) -> Iterator[str]:
    with database(server_url) as own:
        yield own


@pytest.fixture
async def away(elsewhere_url: str, embedder: HashingEmbedder) -> AsyncIterator[Home]:
    """The same namespace in another database."""
    async with opened(elsewhere_url, size=2) as own:
        async with own.writer.connection() as connection:
            await spaces.register(connection, embedder.space, state="active")
        yield Home(own, embedder)


async def exported(home: Home, *, small: bool = False) -> bytes:
    plain = export(home.database, home.namespace)
    return b"".join([chunk async for chunk in (compressed(plain) if small else plain)])


async def imported(
    database: Database, file: bytes, namespace: str | None = None, size: int = 997
) -> Imported:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(file), size):
            yield file[start : start + size]

    return await take_in(database, chunks(), namespace=namespace)


async def lived(home: Home, episode: Make) -> list[Episode]:
    """A namespace with versions, a summary, something forgotten, uses, indexed vectors and none yet."""
    one, two, three = episode(1, "one", actor="ann"), episode(2, "two"), episode(3, "three", pinned=True)
    summary = episode(4, "summary of one and two", kind="summary", context={"room": "hall"}, valence=-0.5)
    await home.remember(one, two, three, summary)
    await home.derive(summary, one, two)
    await home.use(three, 5)
    async with home.database.writer.connection() as connection:
        await drain(connection, home.embedder.space, rows=2)
    new = await edit(home.database, EditRequest(**home.says(one.id, content="uno", reason="in Italian")))
    await edit(home.database, EditRequest(**home.says(new.id, content="one, corrected", reason="not at all")))
    later = await supersede(home.database, SupersedeRequest(**home.says(two.id, content="two, later")))
    await forget(home.database, ForgetRequest(**home.says(later.id, reason="no more")))
    await forget(home.database, ForgetRequest(**home.says(two.id)))
    await forget(home.database, ForgetRequest(**home.says(later.id, restore=True)))
    await forget(home.database, ForgetRequest(**home.says(three.id, reason="private")))
    return [one, two, three, summary]


def body(file: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.splitlines()][1:]


@pytest.mark.parametrize("small", [False, True])
async def test_an_export_imported_elsewhere_exports_the_same(
    home: Home, away: Home, episode: Make, small: bool
) -> None:
    episodes = await lived(home, episode)
    file = await exported(home, small=small)
    answer = await imported(away.database, file)
    assert answer == Imported(memories=7, new=7, updated=0, embedded=1)
    assert body(await exported(away)) == body(await exported(home))
    assert set(await away.vectors()) == set(await home.vectors())
    assert await away.waiting() == await home.waiting()
    for each in episodes:
        request = ShowRequest(namespace="home", id=each.id)
        assert await history(away.database, request) == await history(home.database, request)
    request = ShowRequest(namespace="home", id=episodes[0].id)
    assert [each.reason for each in (await history(away.database, request)).changes] == [
        "in Italian",
        "not at all",
    ]


async def test_an_import_that_is_repeated_adds_nothing(home: Home, away: Home, episode: Make) -> None:
    await lived(home, episode)
    file = await exported(home)
    await imported(away.database, file)
    before = await exported(away)
    assert await imported(away.database, file) == Imported(memories=7)
    assert await imported(home.database, file) == Imported(memories=7)
    assert body(await exported(away)) == body(before)


async def test_an_export_of_the_first_format_is_taken_in_and_a_later_one_adds_the_corrections(
    home: Home, away: Home, episode: Make
) -> None:
    episodes = await lived(home, episode)
    file = await exported(home)
    header, *lines = map(json.loads, file.splitlines())
    bare = ({name: value for name, value in line.items() if name != "changes"} for line in lines)
    old = [header | {"format": "emily-memory/1"}, *bare]
    await imported(away.database, b"\n".join(json.dumps(line).encode() for line in old))
    request = ShowRequest(namespace="home", id=episodes[0].id)
    assert (await history(away.database, request)).changes == ()
    assert await imported(away.database, file) == Imported(memories=7)
    assert await history(away.database, request) == await history(home.database, request)


async def test_what_was_forgotten_elsewhere_and_is_held_here_is_not_said_to_be_forgotten(
    home: Home, away: Home, episode: Make
) -> None:
    one = episode(1, "one")
    await home.remember(one)
    await imported(away.database, await exported(home))
    await forget(home.database, ForgetRequest(**home.says(one.id)))
    await imported(away.database, await exported(home))
    assert (await history(away.database, ShowRequest(namespace="home", id=one.id))).changes == ()


async def test_corrections_made_since_the_last_import_come_with_the_next(
    home: Home, away: Home, episode: Make
) -> None:
    one, two = episode(1, "one"), episode(2, "two")
    await home.remember(one, two)
    await imported(away.database, await exported(home))
    await edit(home.database, EditRequest(**home.says(one.id, importance=0.9, reason="it mattered")))
    await supersede(home.database, SupersedeRequest(**home.says(two.id, content="two, later")))
    assert await imported(away.database, await exported(home)) == Imported(
        memories=4, new=2, updated=2, embedded=1
    )
    assert body(await exported(away)) == body(await exported(home))


async def test_a_correction_made_here_is_not_undone_by_an_older_file(home: Home, episode: Make) -> None:
    one = episode(1, "one")
    await home.remember(one)
    old = await exported(home)
    await edit(home.database, EditRequest(**home.says(one.id, content="corrected")))
    before = body(await exported(home))
    assert await imported(home.database, old) == Imported(memories=1)
    assert body(await exported(home)) == before


async def test_another_space_embeds_anew(home: Home, away: Home, episode: Make) -> None:
    await home.remember(episode(1), episode(2))
    file = await exported(home)
    async with away.database.writer.connection() as connection:
        await spaces.register(connection, OTHER)
        await spaces.activate(connection, OTHER)
    assert (await imported(away.database, file)).embedded == 0
    assert len(await away.waiting()) == 2
    assert await away.rows("SELECT DISTINCT space FROM unembedded") == [(OTHER.key,)]


async def test_a_space_that_is_being_built_wants_what_is_imported(
    home: Home, away: Home, episode: Make
) -> None:
    await home.remember(episode(1))
    async with away.database.writer.connection() as connection:
        await spaces.register(connection, OTHER)
    assert (await imported(away.database, await exported(home))).embedded == 1
    assert await away.rows("SELECT space FROM unembedded") == [(OTHER.key,)]


async def test_what_is_known_under_another_id_stands_for_what_comes(
    home: Home, away: Home, episode: Make
) -> None:
    origin, known = episode(1), episode(1, id=episode(9).id)
    summary = episode(2, "summary")
    await home.remember(origin, summary)
    await home.derive(summary, origin)
    await away.remember(known)
    assert (await imported(away.database, await exported(home))).new == 1
    seen = await show(away.database, ShowRequest(namespace="home", id=summary.id))
    assert seen.derived_from == (known.id,)


async def test_a_correction_to_what_is_known_under_another_id_names_that(
    home: Home, away: Home, episode: Make
) -> None:
    wrong, known = episode(1, "wrong"), episode(1, "right", id=episode(9).id)
    await home.remember(wrong)
    await away.remember(known)
    await edit(home.database, EditRequest(**home.says(wrong.id, content="right", reason="looked")))
    for _ in range(2):
        await imported(away.database, await exported(home))
    (change,) = (await history(away.database, ShowRequest(namespace="home", id=known.id))).changes
    assert (change.id, change.other, change.reason) == (wrong.id, known.id, "looked")


async def test_what_was_derived_can_be_erased_with_its_origin_after_an_import(
    home: Home, away: Home, episode: Make
) -> None:
    await lived(home, episode)
    header, *lines = (await exported(home)).splitlines(keepends=True)
    await imported(away.database, header + b"".join(reversed(lines)))
    answer = await erase(away.database, EraseRequest(**away.says(actor="ann", dry_run=False)))
    assert (answer.memories, answer.derived, answer.left) == (3, 1, 0)


async def test_words_of_imported_memories_weigh_like_those_of_others(
    home: Home, away: Home, episode: Make
) -> None:
    await home.remember(*(episode(number, f"common word{number}") for number in range(4)))
    for each in (home, away):
        async with each.database.writer.connection() as connection:
            await connection.execute("UPDATE counting SET until = '2020-01-01'")
    async with home.database.writer.connection() as connection:
        await connection.execute("UPDATE episode SET recorded_at = recorded_at - interval '1 minute'")
        await count_words(connection)
    async with away.database.writer.connection() as connection:
        await connection.execute("UPDATE counting SET until = now()")
    await imported(away.database, await exported(home))
    query = "SELECT * FROM word ORDER BY lexeme"
    assert await away.rows(query) == await home.rows(query) != []
    assert await away.rows("SELECT * FROM corpus") == await home.rows("SELECT * FROM corpus")
    request = RecallRequest(namespace="home", text="word2", limit=1)
    vector = away.embedder.embed_query("word2")
    found = await Recaller(away.database).recall(Sought(request, HYBRID, away.embedder.space, vector))
    assert [each.content for each in found.episodes] == ["common word2"]


CHANGE = {"at": "2026-01-01T00:00:00Z", "did": "edited"}


def spoiled(file: bytes, line: int, **fields: Any) -> bytes:
    lines = file.splitlines()
    changed = json.loads(lines[line - 1]) | fields
    lines[line - 1] = json.dumps({key: value for key, value in changed.items() if value != ...}).encode()
    return b"\n".join(lines) + b"\n"


@pytest.mark.parametrize(
    ("line", "fields", "message"),
    [
        (1, {"format": "mem0/7"}, "line 1, format: "),
        (1, {"space": {"provider": "x"}}, "line 1, space"),
        (1, {"memories": 9}, "line 4, memories: the file ends after 3 of 9"),
        (3, {"content": 7}, "line 3, content: Expected `str`, got `int`"),
        (3, {"content": "a\0b"}, r"line 3, content\[1\]: NUL"),
        (3, {"content": ...}, "line 3, content: Object missing required field"),
        (3, {"surprise": 1}, "line 3, surprise: Object contains unknown field"),
        (3, {"namespace": "work"}, "line 3, namespace: work is not home"),
        (3, {"importance": 2}, "line 3, importance: "),
        (3, {"valence": "sad"}, "line 3, valence: "),
        (3, {"recorded_at": "2026-01-01T00:00:00"}, "line 3, recorded_at: .* no time zone"),
        (3, {"context": {"a\0": "b"}}, r"line 3, context\[1\]: NUL"),
        (3, {"vector": "AAAA"}, "line 3, vector: 3 bytes are not 384 numbers"),
        (3, {"vector": "!"}, "line 3, vector: Invalid base64"),
        (3, {"vector": "A" * 1024}, "line 3, vector: is all zeros"),
        (3, {"vector": "AH4A" * 256}, "line 3, vector: holds NaN"),
        (3, {"uses": 3}, "line 3, uses: "),
        (3, {"changes": [{"did": "edited"}]}, r"line 3, changes\[0\].at: Object missing"),
        (
            3,
            {"changes": [CHANGE | {"at": "2026-01-01T00:00:00"}]},
            r"line 3, changes\[0\].at: .* no time zone",
        ),
        (3, {"changes": [CHANGE | {"reason": "a\0b"}]}, r"line 3, changes\[0\].reason\[1\]: .*NUL"),
        (3, {"changes": [CHANGE | {"did": "two words"}]}, "line 3, changes"),
        (3, {"valid_to": "2020-01-01T00:00:00Z"}, "line 3, valid_to: "),
    ],
)
async def test_a_line_that_does_not_fit_is_named_and_nothing_is_stored(
    home: Home, away: Home, episode: Make, line: int, fields: dict[str, Any], message: str
) -> None:
    await home.remember(episode(1), episode(2), episode(3))
    file = spoiled(await exported(home), line, **fields)
    with pytest.raises(MemoryRefused, match=f"^{message}"):
        await imported(away.database, file)
    assert await away.rows("SELECT id FROM episode") == []


@pytest.mark.parametrize("small", [False, True])
async def test_a_file_that_is_torn_anywhere_is_refused_and_its_batch_is_not_stored(
    home: Home, away: Home, episode: Make, small: bool
) -> None:
    await home.remember(*(episode(number) for number in range(4)))
    file = await exported(home, small=small)
    for end in range(0, len(file) - 1, max(1, len(file) // 16)):
        with pytest.raises(MemoryRefused, match=r"^(line \d, |zstd: )"):
            await imported(away.database, file[:end])
    assert await away.rows("SELECT id FROM episode") == []


async def test_batches_before_a_torn_line_are_stored_and_the_message_says_so(
    home: Home, away: Home, episode: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emily_memory.transfer.importing.LINES", 2)
    await home.remember(*(episode(number) for number in range(5)))
    whole = await exported(home)
    with pytest.raises(MemoryRefused, match=r"^line 5, kind: .*; lines 2 to 3 are stored, mend it"):
        await imported(away.database, spoiled(whole, 5, kind="two words"))
    stored = {content for (content,) in await away.rows("SELECT content FROM episode")}
    assert stored == {line["content"] for line in body(whole)[:2]}
    assert (await imported(away.database, whole)).new == 3


async def test_a_memory_of_another_namespace_is_not_taken_for_ones_own(home: Home, episode: Make) -> None:
    await home.remember(episode(1), episode(2))
    with pytest.raises(MemoryRefused, match=r"^line 2, id: .* is a memory of another namespace"):
        await imported(home.database, await exported(home), namespace="work")
    assert await home.rows("SELECT DISTINCT namespace FROM episode") == [("home",)]


async def test_an_import_may_go_to_another_namespace(home: Home, away: Home, episode: Make) -> None:
    await home.remember(episode(1))
    await imported(away.database, await exported(home), namespace="work")
    assert await away.rows("SELECT namespace FROM episode") == [("work",)]


@pytest.mark.parametrize(
    "file",
    [b"", b"\n\n", b"PK\x03\x04 a zip", b"[]\n", b'{"a": ' * 5000, b"\xff\xfe\n", b"\x28\xb5\x2f\xfdjunk"],
)
async def test_a_file_of_another_kind_is_refused(away: Home, file: bytes) -> None:
    with pytest.raises(MemoryRefused, match=r"^(line 1, |zstd: )"):
        await imported(away.database, file)


@given(st.lists(st.binary(max_size=40)))
def test_no_line_of_garbage_gets_through(pieces: list[bytes]) -> None:
    for piece in pieces:
        with pytest.raises(MemoryRefused, match=r"^line 1, "):
            decoded(1, piece, Line)


async def test_an_export_is_of_one_moment(home: Home, episode: Make) -> None:
    await home.remember(*(episode(number) for number in range(3)))
    chunks = export(home.database, "home")
    parts = [await anext(chunks)]
    await edit(home.database, EditRequest(**home.says(episode(1).id, content="later")))
    parts += [chunk async for chunk in chunks]
    assert {line["content"] for line in body(b"".join(parts))} == {"moment 0", "moment 1", "moment 2"}
