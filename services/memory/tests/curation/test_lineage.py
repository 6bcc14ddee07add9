"""Laws of corrections, over any sequence of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import anyio
import pytest
from emily_contracts import Episode, uuid7
from emily_contracts.curation import EditRequest, ForgetRequest, ListRequest, ShowRequest, SupersedeRequest
from emily_memory.curation.correcting import edit, forget, supersede
from emily_memory.curation.reading import history, list_memories, show
from emily_memory.embedding.hashing import HashingEmbedder
from emily_memory.store import spaces
from emily_memory.store.database import opened
from emily_memory.testing import Home
from emily_postgres.testing import database
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Step = tuple[str, str]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["edit", "pin", "supersede", "forget"]), st.text("ab'\\%\n", min_size=1, max_size=4)
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def shared(server_url: str) -> Iterator[str]:
    with database(server_url) as own:
        yield own


async def lived(home: Home, steps: list[Step]) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    first = Episode(id=uuid7(at), occurred_at=at, content="first")
    await home.remember(first)
    newest, texts, record = first.id, ["first"], [("first", await recorded(home, first.id))]
    for number, (what, text) in enumerate(steps, start=1):
        content = f"{number} {text}"
        if what == "forget":
            await forget(home.database, ForgetRequest(**home.says(newest)))
            await forget(home.database, ForgetRequest(**home.says(newest, restore=True)))
            continue
        if what == "pin":
            made = await edit(home.database, EditRequest(**home.says(newest, pinned=number % 2 == 0)))
        elif what == "edit":
            made = await edit(home.database, EditRequest(**home.says(newest, content=content)))
        else:
            made = await supersede(home.database, SupersedeRequest(**home.says(newest, content=content)))
        newest = made.id
        texts.append(made.content)
        record.append((made.content, made.recorded_at))
    seen = await history(home.database, ShowRequest(namespace=home.namespace, id=first.id))
    assert [each.content for each in seen.versions] == texts
    assert [each.recorded_at for each in seen.versions] == [moment for _, moment in record]
    assert len(seen.changes) == len(texts) - 1 + 2 * sum(what == "forget" for what, _ in steps)
    assert await listed(home) == [texts[-1]]
    for version in seen.versions:
        assert await listed(home, known_at=version.recorded_at, as_of=version.valid_from) == [version.content]
        if version.valid_to is not None:
            assert len(await listed(home, as_of=version.valid_to - timedelta(microseconds=1))) == 1
        assert (version.retracted_at is None) or version.superseded_by is not None
    held = {each.id for each in seen.versions if each.retracted_at is None}
    assert set(await home.vectors()) | await home.waiting() == held


async def recorded(home: Home, identity: UUID) -> datetime:
    return (await show(home.database, ShowRequest(namespace=home.namespace, id=identity))).recorded_at


async def listed(home: Home, **selection: Any) -> list[str]:
    page = await list_memories(home.database, ListRequest(namespace=home.namespace, **selection))
    return [each.content for each in page.memories]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_no_step_loses_a_version_and_every_time_has_its_truth(shared: str, steps: list[Step]) -> None:
    async def alone() -> None:
        embedder = HashingEmbedder()
        async with opened(shared, size=1) as memory:
            async with memory.writer.connection() as connection:
                await connection.execute("TRUNCATE memory.episode, memory.change CASCADE")
                await spaces.register(connection, embedder.space, state="active")
                for table in (spaces.tables(embedder.space).hot, spaces.tables(embedder.space).indexed):
                    await connection.execute(b"TRUNCATE " + table.as_bytes())
            await lived(Home(memory, embedder), steps)

    anyio.run(alone)
