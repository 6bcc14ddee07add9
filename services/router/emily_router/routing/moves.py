"""What has to move when one routing table takes the place of another."""

from __future__ import annotations

import itertools
from typing import NamedTuple

from emily_contracts.routing import BUCKETS, RoutingTable


class Move(NamedTuple):
    """Minds that one colour takes over from another.

    Attributes:
        low, high: Buckets of the subjects, from `low` to below `high`.
    """

    giver: str
    taker: str
    low: int
    high: int

    @property
    def whole(self) -> bool:
        """Whether every subject moves."""
        return (self.low, self.high) == (0, BUCKETS)


def moves(old: RoutingTable, new: RoutingTable) -> tuple[Move, ...]:
    """Of the subjects whose colour changes, and of all to a new shadow, whose copies need the same past."""
    edges = sorted({0, old.weight, new.weight, BUCKETS})
    found: list[Move] = []
    for low, high in itertools.pairwise(edges):
        giver, taker = old.colour_of(low), new.colour_of(low)
        last = found[-1] if found else None
        if last is not None and (last.giver, last.taker, last.high) == (giver, taker, low):
            found[-1] = last._replace(high=high)
        elif giver != taker:
            found.append(Move(giver, taker, low, high))
    if new.shadow not in (None, old.shadow, old.active):
        assert new.shadow is not None  # noqa: S101 - said above, in a way that mypy does not read
        found.append(Move(old.active, new.shadow, 0, BUCKETS))
    return tuple(found)
