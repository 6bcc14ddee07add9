"""What can go wrong on the bus."""

from __future__ import annotations


class BusError(Exception):
    """Anything that goes wrong on the bus."""


class BusUnavailable(BusError):
    """No session opened in time: the router is missing, or lets nobody in; the message says which."""


class BusCongested(BusError):
    """No credit came in time: a subscriber lives but does not read, or the router is away."""


class AskError(BusError):
    """A question was not answered."""


class NoResponder(AskError):
    """Nobody serves the query."""


class AskTimeout(AskError):
    """Somebody serves the query but did not answer in time."""


class ErrorReply(AskError):
    """The responder refused or failed; the message is its own."""


class AskRefused(BusError):
    """Raised by a handler to answer with an error reply; the message reaches the asker."""


class Undecodable(BusError):
    """A message that can't be read: its bytes, its fields or its schema version are wrong.

    Attributes:
        kind: What is wrong, one of a few words, for counting and logging once.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
