"""What travels beside the payload: schema version, who sent it as its how-manieth, trace context.

Layout, little-endian and the same in every schema version: version (1 byte), sender (8 bytes), sequence
(8 bytes), then the traceparent in ASCII.
"""

from __future__ import annotations

import struct

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


def decode(data: bytes) -> Attachment:
    """The attachment in `data`, of any schema version.

    Raises:
        Undecodable: Too short or too long.
    """
    size = len(data)
    if not _HEAD.size <= size <= _LONGEST:
        raise Undecodable("attachment", f"{size} bytes do not hold one ({_HEAD.size} to {_LONGEST})")
    version, sender, sequence = _HEAD.unpack_from(data)
    traceparent = data[_HEAD.size :].decode("ascii", "ignore") if size > _HEAD.size else None
    return version, sender, sequence, traceparent
