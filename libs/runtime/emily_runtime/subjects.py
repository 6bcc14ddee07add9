"""What two minds remember of single subjects, put together when some of the subjects move."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of one subject.

    Attributes:
        touched: Number of the event that touched it last; the one touched longest ago is forgotten first.
    """

    touched: int = 0


def put_together[T: Trace](
    own: Mapping[str, T],
    given: Mapping[str, T],
    moves: Callable[[str], bool],
    *,
    own_events: int,
    given_events: int,
    most: int,
) -> dict[str, T]:
    """The given traces of the subjects that move, and the own ones of the others; pure.

    Both minds number their events by themselves. Traces are numbered anew by the count of the mind that has
    heard more, so that each is as many events old as it was, and the next event is newer than all.

    Args:
        own: By subject.
        given: By subject.
        moves: Whether a subject's trace is the given one.
        own_events: That the mind with the own traces has heard.
        given_events: That the other one has heard.
        most: Subjects that are remembered; beyond, those touched longest ago are forgotten.
    """
    newest = max(own_events, given_events)
    stays = {
        subject: _later(trace, newest - own_events) for subject, trace in own.items() if not moves(subject)
    }
    comes = {
        subject: _later(trace, newest - given_events) for subject, trace in given.items() if moves(subject)
    }
    together = stays | comes
    oldest = sorted(together, key=lambda subject: (together[subject].touched, subject))
    for subject in oldest[: max(0, len(together) - most)]:
        del together[subject]
    return together


def _later[T: Trace](trace: T, events: int) -> T:
    return replace(trace, touched=trace.touched + events) if events else trace
