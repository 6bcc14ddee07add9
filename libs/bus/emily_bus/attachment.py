"""What travels beside the payload: schema version, who sent it as its how-manieth, trace context.

Layout, little-endian: version (1 byte), sender (8 bytes), sequence (8 bytes), then the traceparent in ASCII.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from emily_contracts import SCHEMA_VERSION

from emily_bus.errors import Undecodable

_HEAD = struct.Struct("<B8sQ")
_LONGEST_TRACEPARENT = 256


class Attachment(NamedTuple):
    """A decoded attachment; the sequence counts from 1 for each sender and key."""

    version: int
    sender: bytes
    sequence: int
    traceparent: str | None


def encode(sender: bytes, sequence: int, traceparent: str | None) -> bytes:
    """The bytes of an attachment of this version of the contracts."""
    head = _HEAD.pack(SCHEMA_VERSION, sender, sequence)
    return head if traceparent is None else head + traceparent.encode("ascii", "ignore")


def decode(data: bytes) -> Attachment:
    """The attachment in `data`.

    Raises:
        Undecodable: Too short, too long, or of another major schema version.
    """
    if not _HEAD.size <= len(data) <= _HEAD.size + _LONGEST_TRACEPARENT:
        raise Undecodable("attachment", f"{len(data)} bytes do not hold one")
    version, sender, sequence = _HEAD.unpack_from(data)
    if version != SCHEMA_VERSION:
        raise Undecodable("schema version", f"{version} was sent, {SCHEMA_VERSION} is spoken here")
    rest = data[_HEAD.size :]
    return Attachment(version, sender, sequence, rest.decode("ascii", "ignore") if rest else None)
