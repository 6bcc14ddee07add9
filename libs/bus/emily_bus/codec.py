"""MessagePack in and out, and what is refused on the way in."""

from __future__ import annotations

import msgspec
import zenoh
from emily_contracts import SCHEMA_VERSION

from emily_bus.errors import Undecodable

LARGEST_PAYLOAD = 4 * 1024 * 1024
"""Bytes of the largest payload that is read."""

encode = msgspec.msgpack.Encoder().encode


class Decoder[T]:
    """Reads payloads of one type."""

    def __init__(self, kind: type[T]) -> None:
        self._decode = msgspec.msgpack.Decoder(kind).decode

    def decode(self, payload: bytes | Undecodable) -> T:
        """The value in `payload`.

        Raises:
            Undecodable: The payload is one, no MessagePack, or not of this type.
        """
        if isinstance(payload, Undecodable):
            raise payload
        try:
            return self._decode(payload)
        except msgspec.ValidationError as failure:
            raise Undecodable("fields", str(failure)) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as failure:
            raise Undecodable("bytes", str(failure)) from None


def readable(payload: zenoh.ZBytes | None, version: int) -> bytes | Undecodable:
    """The bytes of a payload, or why they are not read: another schema version, or `LARGEST_PAYLOAD`."""
    if version != SCHEMA_VERSION:
        return Undecodable("schema version", f"{version} was sent, {SCHEMA_VERSION} is spoken here")
    if payload is None:
        return b""
    data = payload.to_bytes()
    if len(data) > LARGEST_PAYLOAD:
        return Undecodable("size", f"{len(data)} bytes were sent, at most {LARGEST_PAYLOAD} are read")
    return data
