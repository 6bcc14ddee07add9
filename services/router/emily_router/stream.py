"""The stream that people watch: every message for every watcher who keeps up."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import msgspec
from emily_contracts.envelope import Message

from emily_router.errors import TooManyWatchers


class Event(msgspec.Struct, frozen=True):
    """One server-sent event: its name and its JSON."""

    name: str
    data: bytes


END = Event("end", b"{}")
"""The last event of a stream that the router closes."""


class Watcher:
    """One client's bounded queue; when it is full the oldest event goes and is counted."""

    def __init__(self, capacity: int) -> None:
        self._events: deque[Event] = deque(maxlen=capacity)
        self._dropped = 0
        self._arrived = anyio.Event()

    def put(self, event: Event) -> None:
        """Queues an event; never waits."""
        self._dropped += len(self._events) == self._events.maxlen
        self._events.append(event)
        self._arrived.set()

    async def next(self) -> Event:
        """The next event, after a `dropped` event with the count when some were lost."""
        while not self._events:
            self._arrived = anyio.Event()
            await self._arrived.wait()
        if self._dropped:
            lost, self._dropped = self._dropped, 0
            return Event("dropped", msgspec.json.encode({"count": lost}))
        return self._events.popleft()


class Stream:
    """Fans messages out to watchers.

    Args:
        watchers: Most clients at once.
        capacity: Events that one client may be behind.
    """

    def __init__(self, *, watchers: int, capacity: int) -> None:
        self._limit = watchers
        self._capacity = capacity
        self._watchers: list[Watcher] = []

    @property
    def watchers(self) -> int:
        """How many watch now."""
        return len(self._watchers)

    def publish(self, name: str, message: Message) -> None:
        """Sends to whoever watches; encoded once, and not at all when nobody does."""
        if self._watchers:
            event = Event(name, msgspec.json.encode(message))
            for watcher in self._watchers:
                watcher.put(event)

    def require_room(self) -> None:
        """Checks that one more client may watch.

        Raises:
            TooManyWatchers: The bound is reached.
        """
        if len(self._watchers) >= self._limit:
            raise TooManyWatchers(f"{self._limit} clients watch already; close one first")

    def close(self) -> None:
        """Tells every watcher that nothing more will come."""
        for watcher in self._watchers:
            watcher.put(END)

    @contextmanager
    def watch(self) -> Iterator[Watcher]:
        """A watcher that hears everything until the block is left."""
        watcher = Watcher(self._capacity)
        self._watchers.append(watcher)
        try:
            yield watcher
        finally:
            self._watchers.remove(watcher)
