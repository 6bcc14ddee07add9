"""Who answers what people ask of memories on the bus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from emily_contracts.topic import AnyQuery
from emily_contracts.topics import (
    EDIT_MEMORY,
    ERASE_ACTOR,
    FORGET_MEMORY,
    LIST_MEMORIES,
    MEMORY_HISTORY,
    MEMORY_STATS,
    SHOW_MEMORY,
    SUPERSEDE_MEMORY,
)

from emily_memory.correcting import edit, forget, supersede
from emily_memory.counting import stats
from emily_memory.database import Database
from emily_memory.erasing import erase
from emily_memory.reading import history, list_memories, show

type Answer = Callable[[Any], Awaitable[Any]]


def answers(database: Database) -> dict[AnyQuery, Answer]:
    """Which query is answered by what."""
    return {
        SHOW_MEMORY: partial(show, database),
        MEMORY_HISTORY: partial(history, database),
        LIST_MEMORIES: partial(list_memories, database),
        EDIT_MEMORY: partial(edit, database),
        SUPERSEDE_MEMORY: partial(supersede, database),
        FORGET_MEMORY: partial(forget, database),
        ERASE_ACTOR: partial(erase, database),
        MEMORY_STATS: partial(stats, database),
    }
