from __future__ import annotations

import pytest
import zenoh
from emily_bus import codec
from emily_bus.errors import Undecodable
from emily_bus.testing import Numbered, numbered
from emily_contracts import SCHEMA_VERSION
from hypothesis import given
from hypothesis import strategies as st


def test_message_comes_back_as_it_went() -> None:
    message = numbered(7, text="äöü")
    assert codec.Decoder(Numbered).decode(codec.encode(message)) == message


def kind_of(payload: bytes) -> str:
    try:
        codec.Decoder(Numbered).decode(payload)
    except Undecodable as failure:
        return failure.kind
    return "message"


@given(st.binary(max_size=200))
def test_any_bytes_are_undecodable(payload: bytes) -> None:
    assert kind_of(payload) in {"bytes", "fields"}


@given(st.data())
def test_damaged_message_is_a_message_or_undecodable(data: st.DataObject) -> None:
    payload = bytearray(codec.encode(numbered(7, text="abc")))
    payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    assert kind_of(bytes(payload)) in {"message", "bytes", "fields"}


def test_another_schema_version_is_not_read() -> None:
    refused = codec.readable(zenoh.ZBytes(b"x"), SCHEMA_VERSION + 1)
    assert isinstance(refused, Undecodable)
    assert refused.kind == "schema version"


@pytest.mark.parametrize("excess", [0, 1])
def test_payload_is_read_up_to_the_bound(excess: int) -> None:
    payload = bytes(codec.LARGEST_PAYLOAD + excess)
    read = codec.readable(zenoh.ZBytes(payload), SCHEMA_VERSION)
    assert (read == payload) is (excess == 0)
    assert isinstance(read, Undecodable) is (excess == 1)
