"""How a mind moves from one colour to another: a marker behind the last event, and what was remembered there.

A marker that travels the same way as the events cuts a stream in two: whoever records its state when the
marker comes has taken in all that was sent before it and nothing that was sent after it.

Source: Chandy & Lamport 1985, Distributed Snapshots: Determining Global States of Distributed Systems, ACM
TOCS 3(1).
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from emily_contracts.constraints import Name
from emily_contracts.envelope import Message
from emily_contracts.routing import BUCKETS

Version = Annotated[int, Meta(ge=0)]


class Barrier(Message, frozen=True, kw_only=True):
    """A marker between two events; every tier records what it remembers when it comes, and passes it on.

    `id` is its name, by which the recorded states are asked for.
    """


class StateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Asks a mind what it remembered at a barrier; answered once the barrier has come."""

    service: Name
    barrier: UUID


class StateSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a mind remembered at a barrier.

    Attributes:
        version: Of the meaning and shape of the state.
        code_version: Of the service that recorded it.
        state: A checkpoint, as it is kept on disk: encoded, with its name, version and digest.
        cold_start: Why this mind had started from nothing; empty when it had not.
    """

    service: Name
    version: Version
    code_version: str
    state: bytes
    cold_start: str = ""


class Adoption(msgspec.Struct, frozen=True, kw_only=True):
    """Tells a mind to go on from what another one remembered of the subjects in some buckets.

    Attributes:
        low, high: The buckets from `low` to below `high`; when these are all, the state is taken as it is.
        barrier: That must have come before: what was sent ahead of it was meant for the mind as it was.

    Raises:
        ValueError: There are no buckets between them.
    """

    service: Name
    snapshot: StateSnapshot
    low: Annotated[int, Meta(ge=0, lt=BUCKETS)] = 0
    high: Annotated[int, Meta(gt=0, le=BUCKETS)] = BUCKETS
    barrier: UUID | None = None

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError(f"high: {self.high} is not above low, {self.low}; no bucket is between them")

    @property
    def whole(self) -> bool:
        """Whether every subject moves."""
        return (self.low, self.high) == (0, BUCKETS)


class Adopted(msgspec.Struct, frozen=True, kw_only=True):
    """A mind has gone on from an adoption.

    Attributes:
        cold_start: Why nothing was adopted, in words; empty when all was. Decisions name it from now on.
    """

    service: Name
    cold_start: str = ""
