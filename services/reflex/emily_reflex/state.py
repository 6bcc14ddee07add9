"""What reflex remembers: the body, the time of the last event, and a little of each subject."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec.structs import replace

MOST_SUBJECTS = 256


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """What one subject has sensed with one sense.

    Attributes:
        episode: That it was sensed in.
        touched: Number of the event that touched it last.
        readings: Vision: grey by place, of this episode. Interoception: running mean by channel.
    """

    episode: str
    touched: int
    readings: dict[str, float] = {}


class ReflexState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a reflex mind remembers.

    Attributes:
        events: Heard so far.
        at: Event time of the latest; the body's clock.
        expected_reward: By sense, learned from outcomes.
        traces: By sense and subject; the least recently touched is forgotten beyond 256.
    """

    events: int = 0
    at: datetime | None = None
    expected_reward: dict[str, float] = {}
    traces: dict[str, Trace] = {}

    def with_trace(self, key: str, trace: Trace) -> ReflexState:
        """This state with one trace renewed."""
        traces = self.traces | {key: trace}
        if len(traces) > MOST_SUBJECTS:
            del traces[min(traces, key=lambda old: traces[old].touched)]
        return replace(self, traces=traces)
