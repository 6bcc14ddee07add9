"""Feeling the host: how far its channels leave what is usual, and how near they are to their limit."""

from __future__ import annotations

from emily_contracts import Stimulus
from emily_runtime import Refused

from emily_reflex.impression import Impression
from emily_reflex.state import Habit

MEMORY = 0.05
"""Share of a new reading in the running mean."""
EASE = 0.7
"""Share of the limit from which a channel is a threat."""
SHOCK = 0.5
"""Change of a channel that is wholly unlike what is usual."""


def feel(stimulus: Stimulus, before: Habit | None, touched: int) -> tuple[Impression, Habit]:
    """How unusual and how threatening the readings are, and what is usual from now on.

    What is felt for the first time counts as usual. Readings are shares of the channel's limit.

    Raises:
        Refused: A channel does not carry exactly one reading of 0 or more.
    """
    readings = {}
    for index, signal in enumerate(stimulus.signals):
        if len(signal.values) != 1 or signal.values[0] < 0:
            raise Refused(f"signals[{index}].values: {signal.values} must be one share of the limit, >= 0")
        readings[signal.channel] = signal.values[0]
    usual = before.usual if before is not None else {}
    change = max(abs(reading - usual.get(channel, reading)) for channel, reading in readings.items())
    threat = max((reading - EASE) / (1 - EASE) for reading in readings.values())
    novelty = min(1.0, change / SHOCK)
    impression = Impression(similarity=1 - novelty, surprise=novelty, threat=min(1.0, max(0.0, threat)))
    learned = {
        channel: (1 - MEMORY) * usual.get(channel, reading) + MEMORY * reading
        for channel, reading in readings.items()
    }
    return impression, Habit(usual=learned, touched=touched)
