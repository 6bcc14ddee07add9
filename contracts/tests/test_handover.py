"""An adoption names buckets that exist, and what moves survives the wire."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from emily_contracts import BUCKETS, Adoption, Overflow, StateSnapshot
from emily_contracts.topics import (
    ADOPT,
    BROADCAST,
    INFERENCE_BARRIER,
    OUTCOME,
    PERCEPT,
    REFLEX_BARRIER,
    STATE,
    STIMULUS,
    WORKSPACE_BARRIER,
)

SNAPSHOT = StateSnapshot(service="reflex", version=1, code_version="1.0", state=b"\x00state")


def test_a_barrier_travels_as_the_messages_do_that_it_stands_behind() -> None:
    assert REFLEX_BARRIER.qos == STIMULUS.qos == OUTCOME.qos
    assert WORKSPACE_BARRIER.qos == PERCEPT.qos
    assert INFERENCE_BARRIER.qos == BROADCAST.qos
    assert REFLEX_BARRIER.qos.overflow is Overflow.BACK_PRESSURE


def test_an_adoption_survives_messagepack() -> None:
    adoption = Adoption(service="reflex", snapshot=SNAPSHOT, low=100, high=200)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(adoption), type=Adoption) == adoption


def test_a_mind_is_asked_for_its_state_by_its_name() -> None:
    assert STATE.pattern(service="reflex") == "state/reflex"
    assert ADOPT.of(Adoption(service="reflex", snapshot=SNAPSHOT)) == "state/reflex/adopt"


def test_all_buckets_are_the_whole_mind() -> None:
    assert Adoption(service="reflex", snapshot=SNAPSHOT).whole
    assert not Adoption(service="reflex", snapshot=SNAPSHOT, high=BUCKETS - 1).whole


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"low": 5, "high": 5}, "high: 5 is not above low, 5"),
        ({"low": -1}, "low"),
        ({"low": BUCKETS}, "low"),
        ({"high": BUCKETS + 1}, "high"),
    ],
)
def test_buckets_that_do_not_exist_are_refused_by_name(given: dict[str, Any], named: str) -> None:
    adoption = msgspec.to_builtins(Adoption(service="reflex", snapshot=SNAPSHOT)) | given
    with pytest.raises(msgspec.ValidationError, match=named):
        msgspec.convert(adoption, Adoption)
