"""What every message carries, and how its identity follows from its cause."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

SCHEMA_VERSION = 1
"""Major version of the contracts; travels in the attachment of every message."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_VERSION_7 = 0x7 << 76
_VARIANT_RFC = 0b10 << 62


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """The envelope of everything published.

    Attributes:
        id: UUIDv7 of this message.
        at: Event time in UTC; what follows from a stimulus carries the stimulus's time.
        stimulus_id: The stimulus at the root of the chain; a stimulus names itself.
        causation_id: The message that caused this one; none at the root.
    """

    id: UUID
    at: datetime
    stimulus_id: UUID
    causation_id: UUID | None = None


def uuid7(at: datetime, randomness: bytes | None = None) -> UUID:
    """A UUIDv7: 48 bits of milliseconds since 1970, then 74 random bits.

    Args:
        at: The moment it is stamped with, aware of its time zone.
        randomness: 10 bytes to use instead of the system's, for reproducible ids.

    Raises:
        ValueError: `at` is naive or before 1970, or `randomness` is not 10 bytes.

    Source: RFC 9562, section 5.7.
    """
    if at.tzinfo is None:
        raise ValueError(
            "at: a naive datetime has no instant; pass one with tzinfo, such as datetime.now(UTC)"
        )
    milliseconds = (at - _EPOCH) // _MILLISECOND
    if not 0 <= milliseconds < 1 << 48:
        raise ValueError(f"at: {at} does not fit 48 bits of milliseconds since 1970")
    bits = randomness if randomness is not None else secrets.token_bytes(10)
    if len(bits) != 10:
        raise ValueError(f"randomness: {len(bits)} bytes given, 10 needed")
    return _assemble(milliseconds, bits)


def successor_id(cause: UUID, name: str) -> UUID:
    """The UUIDv7 of what follows from `cause`: same milliseconds, bits hashed from cause and name.

    A pure step can so name its messages without a clock or a dice, and a stimulus that is handled
    twice gives the same ids twice.
    """
    digest = hashlib.blake2b(cause.bytes + name.encode(), digest_size=10).digest()
    return _assemble(cause.int >> 80, digest)


def _assemble(milliseconds: int, bits: bytes) -> UUID:
    random_a = int.from_bytes(bits[:2]) & 0x0FFF
    random_b = int.from_bytes(bits[2:]) & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | _VERSION_7 | random_a << 64 | _VARIANT_RFC | random_b)
