"""Who is alive, by liveliness tokens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import zenoh

from emily_bus.errors import BusUnavailable

ALIVE = "alive"
EVERYBODY = f"**/{ALIVE}/*"
MOST_CHANGES = 4096
LIVING_TIMEOUT_S = 5.0


class Change(NamedTuple):
    """Somebody came or went."""

    name: str
    alive: bool


class Changes:
    """An async iterator of changes; the first ones are those who were alive already.

    Attributes:
        alive: Names that are alive as far as the iteration has come.
    """

    def __init__(self) -> None:
        self.alive: set[str] = set()
        self._queue: asyncio.Queue[Change] = asyncio.Queue(MOST_CHANGES)

    def note(self, change: Change) -> None:
        """Take in a change on the loop's thread; the oldest goes when nobody reads."""
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(change)

    async def __aiter__(self) -> AsyncIterator[Change]:
        """Each change once: a name that comes twice came once."""
        while True:
            change = await self._queue.get()
            if change.alive == (change.name in self.alive):
                continue
            (self.alive.add if change.alive else self.alive.discard)(change.name)
            yield change


@contextmanager
def watching(session: zenoh.Session) -> Iterator[Changes]:
    """Changes of every `alive/<name>` in the session's namespace and in those inside it."""
    loop = asyncio.get_running_loop()
    changes = Changes()

    def changed(sample: zenoh.Sample) -> None:
        change = Change(_named(sample), sample.kind == zenoh.SampleKind.PUT)
        if not loop.is_closed():
            loop.call_soon_threadsafe(changes.note, change)

    subscriber = session.liveliness().declare_subscriber(EVERYBODY, changed, history=True)
    try:
        yield changes
    finally:
        subscriber.undeclare()  # type: ignore[no-untyped-call]


async def living(session: zenoh.Session) -> frozenset[str]:
    """Names that are alive now, in the session's namespace and in those inside it.

    Args:
        session: That asks nothing else: one that watches already is told only what it has not heard.

    Raises:
        BusUnavailable: The router does not tell.
    """
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    replies: list[zenoh.Reply] = []

    def end() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(told.set)

    session.liveliness().get(
        EVERYBODY, zenoh.handlers.Callback(replies.append, end), timeout=LIVING_TIMEOUT_S
    )
    await told.wait()
    tokens = [reply.ok for reply in replies]
    if None in tokens:
        raise BusUnavailable(f"the router does not tell within {LIVING_TIMEOUT_S:g} s who is alive")
    return frozenset(_named(token) for token in tokens if token is not None)


def _named(token: zenoh.Sample) -> str:
    """`blue/reflex` for the token `blue/alive/reflex`."""
    space, _, name = str(token.key_expr).rpartition(f"{ALIVE}/")
    return space + name
