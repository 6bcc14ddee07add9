from __future__ import annotations

from collections.abc import Callable

import pytest
from emily_contracts import Episode
from emily_contracts.curation import EditRequest, ForgetRequest, StatsRequest
from emily_memory.curation.correcting import edit, forget
from emily_memory.curation.counting import stats
from emily_memory.testing import Home
from emily_memory.upkeep.tiering import drain

pytestmark = pytest.mark.anyio

Make = Callable[..., Episode]


async def test_stats_count_what_is_held_and_what_is_forgotten(home: Home, episode: Make) -> None:
    kept, wrong, gone, waits = (
        episode(1, actor="ann", pinned=True),
        episode(2, actor="bob"),
        episode(3),
        episode(4),
    )
    await home.remember(kept, wrong, gone)
    async with home.database.writer.connection() as connection:
        await drain(connection, home.embedder.space, rows=1)
    await home.remember(waits, embedded=False)
    await edit(home.database, EditRequest(**home.says(wrong.id, importance=0.1)))
    await forget(home.database, ForgetRequest(**home.says(gone.id)))
    counted = await stats(home.database, StatsRequest(namespace="home"))
    (own,) = counted.namespaces
    assert (own.memories, own.archived, own.pinned, own.actors) == (3, 1, 1, 2)
    assert (own.first_at, own.last_at) == (kept.occurred_at, waits.occurred_at)
    assert own.bytes == 5 * len("moment 1")
    (space,) = counted.spaces
    assert (space.key, space.active, space.semantic) == (home.embedder.space.key, True, False)
    assert (space.indexed + space.hot, space.missing) == (2, 1)
    assert counted.schema_version >= 2


async def test_stats_of_all_namespaces_or_of_one(home: Home, episode: Make) -> None:
    await home.remember(episode(1))
    await Home(home.database, home.embedder, "work").remember(episode(2))
    every = await stats(home.database, StatsRequest())
    assert [(each.namespace, each.memories) for each in every.namespaces] == [("home", 1), ("work", 1)]
    one = await stats(home.database, StatsRequest(namespace="work"))
    assert [each.namespace for each in one.namespaces] == ["work"]
    assert (await stats(home.database, StatsRequest(namespace="unknown"))).namespaces == ()
