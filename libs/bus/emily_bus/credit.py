"""Back-pressure between a publisher and the subscriptions that read it.

A publisher numbers what it sends on a key. A subscription grants cumulative credit: the last number it
handed to its reader, once a quarter of its buffer has passed. A publisher lets at most one buffer of
ungranted messages out and then waits. Subscriptions announce themselves by liveliness token, so one that
is killed is forgotten; after a broken link everything outstanding is forgiven, since it may be lost.
"""

from __future__ import annotations

from collections.abc import Iterable

import anyio
import msgspec

SUBSCRIPTION = "subscription"
CREDIT = "credit"


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """Credit of one subscription: the last sequence it has read on a key."""

    subscription: str
    key: str
    sequence: int


def slug(template: str) -> str:
    """A topic's template as one key chunk."""
    return template.replace("/", "-").replace("{", "").replace("}", "")


class Outlet:
    """What one publisher has out on one key.

    Attributes:
        sequence: Of the last message sent.
    """

    def __init__(self, window: int, subscriptions: Iterable[str]) -> None:
        self.sequence = 0
        self._window = window
        self._granted = dict.fromkeys(subscriptions, 0)
        self._floor = 0
        self._change = anyio.Event()

    @property
    def exhausted(self) -> bool:
        """Whether the next message must wait."""
        return bool(self._granted) and self.sequence - self._floor >= self._window

    async def wait(self) -> None:
        """Return when there is credit again."""
        while self.exhausted:
            await self._change.wait()

    def grant(self, subscription: str, sequence: int) -> None:
        """Note a subscription's credit; unknown ones and old news are passed over."""
        if sequence > self._granted.get(subscription, sequence):
            self._granted[subscription] = sequence
            self._settle()

    def join(self, subscription: str) -> None:
        """A subscription that reads from the next message on."""
        self._granted[subscription] = self.sequence
        self._settle()

    def leave(self, subscription: str) -> None:
        """Forget a subscription."""
        self._granted.pop(subscription, None)
        self._settle()

    def forgive(self) -> None:
        """Count everything outstanding as read: the link broke and may have lost it."""
        self._granted = dict.fromkeys(self._granted, self.sequence)
        self._settle()

    def _settle(self) -> None:
        self._floor = min(self._granted.values(), default=self.sequence)
        self._change.set()
        self._change = anyio.Event()


class Ledger:
    """What one subscription has read from each sender, and when credit is due."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._seen: dict[tuple[bytes, str], int] = {}
        self._granted: dict[tuple[bytes, str], int] = {}

    def note(self, sender: bytes, key: str, sequence: int) -> tuple[int, bool]:
        """Count a message in.

        Returns:
            How many are missing before it (0 when in order, -1 when it was seen before), and whether
            credit is due.
        """
        source = (sender, key)
        last = self._seen.get(source)
        if last is None:
            self._granted[source] = sequence - 1
        elif sequence <= last:
            return -1, False
        self._seen[source] = sequence
        due = sequence - self._granted[source] >= self._every
        if due:
            self._granted[source] = sequence
        return (0 if last is None else sequence - last - 1), due
