"""Which colour a stimulus goes to, and what each colour is at the moment."""

from __future__ import annotations

import enum
import hashlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from emily_contracts.constraints import Name
from emily_contracts.envelope import Message

BUCKETS = 10_000
"""A subject belongs to one of so many buckets, for ever; a weight of 1 moves one of them."""

Colour = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=32)]
"""A cognitive stack, by the last word of its namespace, such as blue."""
Weight = Annotated[int, Meta(ge=0, le=BUCKETS)]
Count = Annotated[int, Meta(ge=0)]


class Role(enum.Enum):
    """What a colour does at the moment."""

    ACTIVE = "active"
    """It answers every subject that the canary does not."""
    CANARY = "canary"
    """It answers the subjects of the lowest buckets."""
    SHADOW = "shadow"
    """It thinks about copies of what the active colour gets; its answers are compared and never given."""
    IDLE = "idle"
    """It gets nothing."""


class RoutingTable(msgspec.Struct, frozen=True, kw_only=True):
    """Where stimuli go; changed as a whole.

    Attributes:
        version: Rises by one with each change.
        active: Answers all but the canary's subjects.
        canary: Answers the subjects in buckets below `weight`.
        weight: Of the canary in basis points.
        shadow: Gets copies of what the active colour gets.

    Raises:
        ValueError: One colour has two roles, or a weight has no canary.
    """

    version: Count
    active: Colour
    canary: Colour | None = None
    weight: Weight = 0
    shadow: Colour | None = None

    def __post_init__(self) -> None:
        require_distinct_roles(self.active, self.canary, self.weight, self.shadow)

    def colour_of(self, index: int) -> str:
        """The colour that answers the subjects of a bucket."""
        return self.canary if self.canary is not None and index < self.weight else self.active

    def role_of(self, colour: str) -> Role:
        """What a colour is by this table."""
        roles = {self.active: Role.ACTIVE, self.canary: Role.CANARY, self.shadow: Role.SHADOW}
        return roles.get(colour, Role.IDLE)


class StandingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Asks what the colour is that the question is asked in."""


class Standing(Message, frozen=True, kw_only=True):
    """What a colour is now.

    Attributes:
        version: Of the routing table that says so.
    """

    role: Role
    version: Count


class ColourStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How one colour is, as the router sees it.

    Attributes:
        in_flight: Answers that it owes.
        absent: Its tiers that are down.
        compared: Answers that it gave as a shadow and that were compared with those of the active colour.
        agreed: Those of them that chose the same act.
    """

    name: Colour
    role: Role
    in_flight: Count = 0
    absent: tuple[Name, ...] = ()
    compared: Count = 0
    agreed: Count = 0


class TrafficRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for the routing table and how the colours are."""


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """The routing table and how the colours are that the router knows."""

    table: RoutingTable
    colours: tuple[ColourStatus, ...] = ()


class ChangeTraffic(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Replaces the routing table, if it is still the one that was looked at.

    Attributes:
        token: Of those who may.
        version: Of the table that was looked at; the change is refused when another one holds by now.
        handover: `state` moves the minds of the subjects whose colour changes; `none` leaves them behind,
            when the colour that had them is dead.
        reason: In a person's words, for the record.

    Raises:
        ValueError: One colour has two roles, or a weight has no canary.
    """

    token: str
    version: Count
    active: Colour
    canary: Colour | None = None
    weight: Weight = 0
    shadow: Colour | None = None
    handover: Literal["state", "none"] = "state"
    reason: Annotated[str, Meta(max_length=1024)] = ""

    def __post_init__(self) -> None:
        require_distinct_roles(self.active, self.canary, self.weight, self.shadow)


def bucket(subject: str) -> int:
    """The bucket of a subject, in 0..9999: the same on every machine and in every release."""
    digest = hashlib.blake2b(subject.encode(), digest_size=8).digest()
    return int.from_bytes(digest) % BUCKETS


def route(table: RoutingTable, subject: str) -> str:
    """The colour that answers a subject."""
    return table.colour_of(bucket(subject))


def require_distinct_roles(active: str, canary: str | None, weight: int, shadow: str | None) -> None:
    """Refuse a table in which one colour has two roles, or a weight without a canary.

    Raises:
        ValueError: Names the field and the remedy.
    """
    if canary == active:
        raise ValueError(f"canary: {canary!r} is the active colour; name another one, or none")
    if shadow == active:
        raise ValueError(f"shadow: {shadow!r} is the active colour; name another one, or none")
    if shadow is not None and shadow == canary:
        raise ValueError(f"shadow: {shadow!r} is the canary; name another one, or none")
    if weight and canary is None:
        raise ValueError(f"weight: {weight} basis points go to no canary; name one, or send 0")
