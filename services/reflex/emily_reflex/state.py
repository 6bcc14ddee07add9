"""What reflex remembers: one body, one rhythm, what it expects, and a little of each subject."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from emily_instinct.allostasis import Body
from emily_instinct.alpha import AlphaOscillator
from emily_instinct.prediction import ValueTable
from emily_runtime.subjects import Trace, put_together
from msgspec.structs import replace

MOST_SUBJECTS = 256


class Glimpse(Trace, frozen=True, kw_only=True):
    """What a subject has seen of a picture.

    Attributes:
        episode: In which it was seen.
        seen: Grey by place.
    """

    episode: str
    seen: dict[int, float]


class Habit(Trace, frozen=True, kw_only=True):
    """What is usual for a subject's inside.

    Attributes:
        usual: Running mean by channel.
    """

    usual: dict[str, float]


class ReflexState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a reflex mind remembers.

    Attributes:
        events: Heard so far.
        body: The one body of this colour; its clock is the latest event time.
        oscillator: The alpha rhythm since the onset of the latest stimulus.
        reward: Expected reward by sense.
        novelty: Expected novelty of a glimpse by its number of places.
        threats: Latest threat by sense; the body is under the greatest.
        glimpses, habits: By subject; the one renewed longest ago is forgotten beyond 256.
    """

    events: int = 0
    body: Body = Body()
    oscillator: AlphaOscillator = AlphaOscillator()
    reward: ValueTable = ValueTable()
    novelty: dict[int, float] = {}
    threats: dict[str, float] = {}
    glimpses: dict[str, Glimpse] = {}
    habits: dict[str, Habit] = {}


def renewed[T: Trace](traces: dict[str, T], subject: str, trace: T) -> dict[str, T]:
    """The traces with a subject's replaced, and the oldest forgotten when there are too many."""
    kept = traces | {subject: trace}
    if len(kept) > MOST_SUBJECTS:
        del kept[min(kept, key=lambda name: kept[name].touched)]
    return kept


def merged(own: ReflexState, given: ReflexState, moves: Callable[[str], bool]) -> ReflexState:
    """What goes on when some subjects come from another mind.

    A body can't be divided: it goes on with its rhythm and what it expects where more was lived through.
    """
    elder = given if given.events > own.events else own
    counts = {"own_events": own.events, "given_events": given.events, "most": MOST_SUBJECTS}
    return replace(
        elder,
        glimpses=put_together(own.glimpses, given.glimpses, moves, **counts),
        habits=put_together(own.habits, given.habits, moves, **counts),
    )
