"""What travels beside the payload: schema version, who sent it as its how-manieth, trace context.

Layout, little-endian and the same in every schema version: version (1 byte), sender (8 bytes), sequence
(8 bytes), then the traceparent in ASCII.
"""

from __future__ import annotations

import struct

import zenoh
from emily_contracts import SCHEMA_VERSION

from emily_bus.errors import Undecodable

_HEAD = struct.Struct("<B8sQ")
_SHORTEST = _HEAD.size
_LONGEST = _SHORTEST + 256
_pack, _unpack = _HEAD.pack, _HEAD.unpack_from
NOBODY = bytes(8)
"""The sender of questions and replies, which are not numbered."""


type Attachment = tuple[int, bytes, int, str | None]
"""Version, sender, sequence (from 1 for each sender and topic), traceparent."""


def encode(sender: bytes, sequence: int, traceparent: str | None) -> bytes:
    """The bytes of an attachment of this version of the contracts."""
    head = _pack(SCHEMA_VERSION, sender, sequence)
    return head if traceparent is None else head + traceparent.encode("ascii", "ignore")


def decode(attached: zenoh.ZBytes | None) -> Attachment:
    """The attachment in the bytes, of any schema version.

    Raises:
        Undecodable: Missing, too short or too long.
    """
    data = attached.to_bytes() if attached is not None else b""
    if not _SHORTEST <= len(data) <= _LONGEST:
        raise Undecodable("attachment", f"{len(data)} bytes do not hold one ({_SHORTEST} to {_LONGEST})")
    version, sender, sequence = _unpack(data)
    trace = data[_SHORTEST:].decode("ascii", "ignore") if len(data) > _SHORTEST else None
    return version, sender, sequence, trace
