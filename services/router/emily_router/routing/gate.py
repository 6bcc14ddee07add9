"""Where stimuli and outcomes wait, in their order, while minds move."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from emily_contracts.outcome import Outcome
from emily_contracts.stimulus import Stimulus


class Held(NamedTuple):
    """What waits, and the trace context that it came in."""

    message: Stimulus | Outcome
    trace: str | None


class Gate:
    """Open, or closed and holding back.

    Args:
        room: What it holds back at most.

    Attributes:
        closed: Whether what comes has to wait.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._held: dict[UUID, Held] = {}
        self.closed = False

    def hold(self, message: Stimulus | Outcome, trace: str | None) -> bool:
        """Whether there was room for it; what is held already keeps its place."""
        if len(self._held) >= self._room and message.id not in self._held:
            return False
        self._held.setdefault(message.id, Held(message, trace))
        return True

    def first(self) -> Held | None:
        """What waits longest."""
        return next(iter(self._held.values()), None)

    def let_go(self, held: Held) -> None:
        """It waits no more."""
        self._held.pop(held.message.id, None)
