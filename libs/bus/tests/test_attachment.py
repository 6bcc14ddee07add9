from __future__ import annotations

import pytest
import zenoh
from emily_bus import attachment
from emily_bus.errors import Undecodable
from emily_contracts import SCHEMA_VERSION
from hypothesis import given
from hypothesis import strategies as st

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@given(
    sender=st.binary(min_size=8, max_size=8),
    sequence=st.integers(0, 2**64 - 1),
    traceparent=st.sampled_from([None, TRACE]),
)
def test_attachment_comes_back_as_it_went(sender: bytes, sequence: int, traceparent: str | None) -> None:
    data = attachment.encode(sender, sequence, traceparent)
    assert attachment.decode(zenoh.ZBytes(data)) == (SCHEMA_VERSION, sender, sequence, traceparent)


@given(st.binary(min_size=17, max_size=17 + 256))
def test_version_sender_and_sequence_are_read_from_any_version(data: bytes) -> None:
    version, sender, sequence, _ = attachment.decode(zenoh.ZBytes(data))
    assert (version, sender, sequence) == (data[0], data[1:9], int.from_bytes(data[9:17], "little"))


@given(st.binary(max_size=16) | st.binary(min_size=17 + 257, max_size=400))
def test_too_short_and_too_long_is_undecodable(data: bytes) -> None:
    with pytest.raises(Undecodable, match="attachment"):
        attachment.decode(zenoh.ZBytes(data))


def test_missing_attachment_is_undecodable() -> None:
    with pytest.raises(Undecodable, match="attachment"):
        attachment.decode(None)
