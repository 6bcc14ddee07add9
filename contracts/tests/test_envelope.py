"""Identity: UUIDv7 stamped with time, and ids that follow from their cause."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from emily_contracts import successor_id, uuid7
from hypothesis import given
from hypothesis import strategies as st

MOMENTS = st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))


def _milliseconds(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@given(MOMENTS, st.binary(min_size=10, max_size=10))
def test_uuid7_carries_its_version_variant_and_milliseconds(at: datetime, bits: bytes) -> None:
    identity = uuid7(at, bits)
    assert identity.version == 7
    assert identity.variant == "specified in RFC 4122"
    assert identity.int >> 80 == _milliseconds(at)


@given(MOMENTS, MOMENTS)
def test_uuid7_sorts_by_time(first: datetime, second: datetime) -> None:
    if _milliseconds(first) < _milliseconds(second):
        assert uuid7(first) < uuid7(second)


def test_uuid7_without_given_randomness_never_repeats() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert len({uuid7(at) for _ in range(10_000)}) == 10_000


@pytest.mark.parametrize(
    ("at", "bits", "field"),
    [
        (datetime(2026, 1, 1), None, "at"),
        (datetime(1969, 1, 1, tzinfo=UTC), None, "at"),
        (datetime(2026, 1, 1, tzinfo=UTC), b"short", "randomness"),
    ],
)
def test_uuid7_refuses_what_it_cannot_stamp(at: datetime, bits: bytes | None, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        uuid7(at, bits)


@given(MOMENTS, st.text(max_size=20), st.text(max_size=20))
def test_successor_id_depends_on_cause_and_name_alone(at: datetime, name: str, other: str) -> None:
    cause = uuid7(at, b"0123456789")
    successor = successor_id(cause, name)
    assert successor == successor_id(cause, name)
    assert successor.int >> 80 == cause.int >> 80
    assert (successor == successor_id(cause, other)) == (name == other)
    assert successor != successor_id(UUID(int=cause.int ^ 1), name)
