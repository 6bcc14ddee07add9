from __future__ import annotations

from collections.abc import Callable

import pytest
from emily_contracts import Episode
from emily_memory.store.word_counts import index_words
from emily_memory.testing import Home
from emily_postgres import Connection

pytestmark = pytest.mark.anyio

Make = Callable[..., Episode]


async def test_new_words_wait_in_a_list_until_they_are_indexed(home: Home, episode: Make) -> None:
    async with home.database.writer.connection() as connection:
        await home.remember(*(episode(i, f"note {i} of many words") for i in range(100)))
        assert await moved(connection) > 0
        await home.remember(*(episode(i, f"note {i} of many words") for i in range(100, 200)))
        await index_words(connection)
        assert await moved(connection) == 0


async def moved(connection: Connection) -> int:
    """Pages that still waited beside the index of words."""
    cursor = await connection.execute("SELECT gin_clean_pending_list('memory.episode_words'::regclass)")
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])
