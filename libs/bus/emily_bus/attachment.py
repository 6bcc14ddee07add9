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
_LONGEST = _HEAD.size + 256
NOBODY = bytes(8)
"""The sender of questions and replies, which are not numbered."""


type Attachment = tuple[int, bytes, int, str | None]
"""Version, sender, sequence (from 1 for each sender and topic), traceparent."""


def encode(sender: bytes, sequence: int, traceparent: str | None) -> bytes:
    """The bytes of an attachment of this version of the contracts."""
    head = _HEAD.pack(SCHEMA_VERSION, sender, sequence)
    return head if traceparent is None else head + traceparent.encode("ascii", "ignore")


def decode(attached: zenoh.ZBytes | None) -> Attachment:
    """The attachment in the bytes, of any schema version.

    Raises:
        Undecodable: Missing, too short or too long.
    """
    data = attached.to_bytes() if attached is not None else b""
    size = len(data)
    if size == _HEAD.size:
        return *_HEAD.unpack(data), None
    if not _HEAD.size <= size <= _LONGEST:
        raise Undecodable("attachment", f"{size} bytes do not hold one ({_HEAD.size} to {_LONGEST})")
    return *_HEAD.unpack_from(data), data[_HEAD.size :].decode("ascii", "ignore")
