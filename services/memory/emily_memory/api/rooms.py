"""What the HTTP API needs of a memory, and who may be in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from emily_contracts import Recall, RecallRequest, Store, StoreRequest

from emily_memory.errors import Overloaded
from emily_memory.metrics import Metrics
from emily_memory.store.database import Database


class Stores(Protocol):
    """Keeps an episode."""

    async def __call__(self, request: StoreRequest, /) -> Store:
        """The acknowledgement of a durable episode."""


class Recalls(Protocol):
    """Finds episodes."""

    async def __call__(self, request: RecallRequest, /) -> Recall:
        """The best episodes."""


class Rooms(NamedTuple):
    """An open memory.

    Attributes:
        database: Where memories are.
        store: Keeps an episode.
        recall: Finds episodes.
        metrics: Count what is done.
    """

    database: Database
    store: Stores
    recall: Recalls
    metrics: Metrics


class OneAtATime:
    """Lets one of a kind in: each holds a connection of the pool for as long as its client takes."""

    def __init__(self) -> None:
        self._inside: set[str] = set()

    @contextmanager
    def alone(self, kind: str) -> Iterator[None]:
        """For the length of the block.

        Raises:
            Overloaded: Another of the kind is inside.
        """
        if kind in self._inside:
            raise Overloaded(f"{kind}: another one runs; try again when it is over")
        self._inside.add(kind)
        try:
            yield
        finally:
            self._inside.discard(kind)
