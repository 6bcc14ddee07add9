"""Counters of a subscription, read by metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Statistics:
    """What became of everything that arrived.

    Attributes:
        received: Handed to the reader.
        dropped: Lost to the bound of the buffer, oldest first.
        rejected: Refused at the bound of the buffer.
        undecodable: Could not be read.
        lost: Missing in a sender's sequence.
        repeated: Came again or out of order.
        depth: Waiting in the buffer now.
    """

    received: int = 0
    dropped: int = 0
    rejected: int = 0
    undecodable: int = 0
    lost: int = 0
    repeated: int = 0
    depth: int = 0
