"""A bounded queue from Zenoh's threads to one reader on the loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque

from emily_contracts import Overflow

from emily_bus.doorbell import Doorbell

BATCH = 256
"""Items after which the reader lets other tasks run."""


class Buffer[T]:
    """Puts never block: what does not fit goes by the overflow policy.

    `put` may be called on any thread; everything else on the loop's.

    Attributes:
        limit: Items it holds.
        dropped: Oldest items that gave way.
        rejected: Newest items that were refused.
        refused: Those of them, as many as fit, that the reader has still to look at.
    """

    def __init__(self, overflow: Overflow, limit: int) -> None:
        self.limit = limit
        self.dropped = 0
        self.rejected = 0
        self._rejects = overflow is Overflow.REJECT
        self._waiting: deque[T] = deque()
        self.refused: deque[T] = deque()
        self._mutex = threading.Lock()
        self._doorbell = Doorbell()
        self._woken = False
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, item: T) -> None:
        """Take an item in and wake the reader, once until it has drained."""
        if self._closed:
            return
        if len(self._waiting) < self.limit:
            self._waiting.append(item)
        else:
            self._overflow(item)
        if not self._woken:
            self._woken = True
            self._doorbell.ring()

    def take(self) -> T | None:
        """The oldest item; none when there is none."""
        try:
            return self._waiting.popleft()
        except IndexError:  # another thread dropped it between the reader's look and its grip
            return None

    async def filled(self) -> bool:
        """Wait until there is something to take; false when it is closed and drained."""
        if self._has_any():
            await asyncio.sleep(0)
        while not self._has_any():
            if self._closed:
                return False
            self._woken = False
            if not self._has_any():
                await self._doorbell
        return True

    def close(self) -> None:
        """Take nothing more in; the reader stops after what waits."""
        self._closed = True
        self._doorbell.close()

    def _overflow(self, item: T) -> None:
        with self._mutex:
            if not self._rejects:
                self.dropped += 1
                self._waiting.append(item)
                self._waiting.popleft()
                return
            self.rejected += 1
            if len(self.refused) < self.limit:
                self.refused.append(item)

    def _has_any(self) -> bool:
        return bool(self._waiting or self.refused)
