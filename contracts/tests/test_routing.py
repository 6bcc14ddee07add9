"""A subject stays in its bucket, a table gives every bucket one colour, and no colour has two roles."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest
from emily_contracts import BUCKETS, ChangeTraffic, Role, RoutingTable, bucket, route
from hypothesis import given
from hypothesis import strategies as st

SUBJECTS = 10_000


@pytest.mark.parametrize(
    ("subject", "index"),
    [("default", 1234), ("ann", 8837), ("bob", 9842), ("host", 2927), ("digits-0", 2532), ("user-42", 598)],
)
def test_a_subject_has_the_bucket_that_it_always_had(subject: str, index: int) -> None:
    assert bucket(subject) == index


def test_subjects_spread_evenly_over_the_buckets() -> None:
    tenths = Counter(bucket(f"subject-{number}") * 10 // BUCKETS for number in range(SUBJECTS))
    expected, sigma = SUBJECTS / 10, (SUBJECTS * 0.1 * 0.9) ** 0.5
    assert set(tenths) == set(range(10))
    assert all(abs(count - expected) < 4 * sigma for count in tenths.values())


@given(st.text(max_size=40), st.integers(0, BUCKETS))
def test_the_canary_answers_the_buckets_below_its_weight(subject: str, weight: int) -> None:
    table = RoutingTable(version=1, active="blue", canary="green", weight=weight)
    assert route(table, subject) == ("green" if bucket(subject) < weight else "blue")


@given(st.text(max_size=40), st.integers(0, BUCKETS), st.integers(0, BUCKETS))
def test_a_subject_that_the_canary_has_stays_with_it_when_the_weight_grows(
    subject: str, weight: int, more: int
) -> None:
    before, after = (
        RoutingTable(version=1, active="blue", canary="green", weight=share)
        for share in sorted((weight, more))
    )
    assert route(before, subject) == "blue" or route(after, subject) == "green"


def test_each_colour_has_the_role_that_the_table_gives_it() -> None:
    table = RoutingTable(version=1, active="blue", canary="green", weight=100, shadow="red")
    roles = [table.role_of(colour) for colour in ("blue", "green", "red", "white")]
    assert roles == [Role.ACTIVE, Role.CANARY, Role.SHADOW, Role.IDLE]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"canary": "blue"}, "canary: 'blue' is the active colour"),
        ({"shadow": "blue"}, "shadow: 'blue' is the active colour"),
        ({"canary": "green", "weight": 1, "shadow": "green"}, "shadow: 'green' is the canary"),
        ({"weight": 1}, "weight: 1 basis points go to no canary"),
        ({"canary": "green", "weight": -1}, "weight"),
        ({"canary": "green", "weight": 10_001}, "weight"),
        ({"active": "Blue!"}, "active"),
        ({"version": -1}, "version"),
    ],
)
def test_a_table_that_can_not_be_followed_is_refused_by_name(given: dict[str, Any], named: str) -> None:
    table = {"version": 1, "active": "blue"} | given
    with pytest.raises(msgspec.ValidationError, match=named):
        msgspec.convert(table, RoutingTable)
    with pytest.raises(msgspec.ValidationError, match=named):
        msgspec.convert(table | {"token": "t"}, ChangeTraffic)


def test_a_change_refuses_a_field_that_it_does_not_know() -> None:
    with pytest.raises(msgspec.ValidationError, match="wieght"):
        msgspec.convert({"token": "t", "version": 1, "active": "blue", "wieght": 1}, ChangeTraffic)
