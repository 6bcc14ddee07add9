"""MessagePack in and out, and what is refused on the way in."""

from __future__ import annotations

from typing import Any

import msgspec
import zenoh
from emily_contracts import SCHEMA_VERSION

from emily_bus import attachment
from emily_bus.attachment import Attachment
from emily_bus.errors import Undecodable

LARGEST_PAYLOAD = 4 * 1024 * 1024
"""Bytes of the largest payload that is read."""

encode = msgspec.msgpack.Encoder().encode


class Decoder[T]:
    """Reads payloads of one type."""

    def __init__(self, kind: type[T]) -> None:
        self._decode = msgspec.msgpack.Decoder(kind).decode

    def decode(self, payload: bytes) -> T:
        """The value in `payload`.

        Raises:
            Undecodable: No MessagePack, or not of this type.
        """
        try:
            return self._decode(payload)
        except msgspec.ValidationError as failure:
            raise Undecodable("fields", str(failure)) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as failure:
            raise Undecodable("bytes", str(failure)) from None


def beside(source: Any) -> Attachment:
    """The attachment of a sample, question or reply.

    Raises:
        Undecodable: There is none, or it can't be read.
    """
    data: zenoh.ZBytes | None = source.attachment
    if data is None:
        raise Undecodable("attachment", "none was sent, so the schema version is unknown")
    return attachment.decode(data.to_bytes())


def readable(payload: zenoh.ZBytes | None, version: int) -> bytes:
    """The bytes of a payload of this schema version.

    Raises:
        Undecodable: Another schema version, or larger than `LARGEST_PAYLOAD`.
    """
    if version != SCHEMA_VERSION:
        raise Undecodable("schema version", f"{version} was sent, {SCHEMA_VERSION} is spoken here")
    if payload is None:
        return b""
    if len(payload) > LARGEST_PAYLOAD:
        raise Undecodable("size", f"{len(payload)} bytes were sent, at most {LARGEST_PAYLOAD} are read")
    return payload.to_bytes()
