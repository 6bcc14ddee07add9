"""The way to one colour and back."""

from __future__ import annotations

from collections import deque

import anyio
from emily_bus import Bus, BusCongested
from emily_contracts import Message
from emily_contracts.topic import AnyTopic
from prometheus_client import Counter

MOST_COPIES = 1024


class Lane:
    """Carries messages to a colour, and copies to a shadow, which nobody waits for.

    Args:
        name: Of the colour.
        bus: In its namespace.
        lost: Counts copies that did not fit, or that the colour did not take.
    """

    def __init__(self, name: str, bus: Bus, lost: Counter) -> None:
        self.name = name
        self.bus = bus
        self._lost = lost
        self._under_way = 0
        self._idle = anyio.Event()
        self._idle.set()
        self._copies: deque[tuple[AnyTopic, Message]] = deque()
        self._some = anyio.Event()

    async def forward(self, topic: AnyTopic, message: Message) -> None:
        """Send a message on its way.

        Raises:
            BusCongested: The colour takes nothing.
        """
        self._under_way += 1
        if self._under_way == 1:
            self._idle = anyio.Event()
        try:
            await self.bus.publish(topic, message)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def idle(self) -> None:
        """Wait until nothing is on its way any more."""
        while self._under_way:
            await self._idle.wait()

    def copy(self, topic: AnyTopic, message: Message) -> None:
        """Send a copy some time; beyond the bound it is lost and counted."""
        if len(self._copies) >= MOST_COPIES:
            self._lost.inc()
            return
        self._copies.append((topic, message))
        self._some.set()

    def discard_copies(self) -> None:
        """Send none of the copies that wait."""
        self._copies.clear()

    async def send_copies(self) -> None:
        """Send what is copied, for ever."""
        while True:
            await self._some.wait()
            self._some = anyio.Event()
            while self._copies:
                topic, message = self._copies.popleft()
                try:
                    await self.forward(topic, message)
                except BusCongested:
                    self._lost.inc()
