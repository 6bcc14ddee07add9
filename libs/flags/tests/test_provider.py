"""Applications ask through the OpenFeature API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from emily_flags import EmilyProvider, Flag, Replica, parse_flag
from emily_flags.testing import define, snapshot
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason


@pytest.fixture
def replica(canary: Flag) -> Replica:
    made = Replica()
    values: dict[str, Any] = {"text": "red", "whole": 3, "part": 0.5, "thing": {"a": 1}}
    flags = [
        parse_flag(key, define(variants={"only": value}, defaultVariant="only"))
        for key, value in values.items()
    ]
    made.take(snapshot(canary, *flags))
    return made


@pytest.fixture
def client(replica: Replica) -> Iterator[OpenFeatureClient]:
    api.set_provider_and_wait(EmilyProvider(replica), "tests")
    yield api.get_client("tests")
    api.clear_providers()


def test_every_type_is_given(client: OpenFeatureClient) -> None:
    assert client.get_string_value("text", "") == "red"
    assert client.get_integer_value("whole", 0) == 3
    assert client.get_float_value("part", 0.0) == 0.5
    assert client.get_float_value("whole", 0.0) == 3.0
    assert client.get_object_value("thing", {}) == {"a": 1}


def test_a_canary_is_on_for_some(client: OpenFeatureClient) -> None:
    on = [
        client.get_boolean_value("canary", False, EvaluationContext(f"subject-{number}"))
        for number in range(200)
    ]
    assert 0 < sum(on) < 60


def test_what_can_not_be_said_is_the_default_of_the_code_with_the_reason(client: OpenFeatureClient) -> None:
    missing = client.get_boolean_details("nothing", True)
    assert (missing.value, missing.error_code) == (True, ErrorCode.FLAG_NOT_FOUND)
    keyless = client.get_boolean_details("canary", True)
    assert (keyless.value, keyless.error_code) == (True, ErrorCode.TARGETING_KEY_MISSING)
    other = client.get_boolean_details("text", True)
    assert (other.value, other.error_code) == (True, ErrorCode.TYPE_MISMATCH)


def test_changes_and_staleness_are_events(client: OpenFeatureClient, replica: Replica, canary: Flag) -> None:
    told: list[tuple[ProviderEvent, EventDetails]] = []
    for event in (ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, ProviderEvent.PROVIDER_STALE):
        client.add_handler(event, lambda details, event=event: told.append((event, details)))  # type: ignore[misc]
    replica.take(snapshot(canary, revision=2, after_s=1, heartbeat_s=1e-9))
    replica.look_at_age()
    deadline = time.monotonic() + 5
    while len(told) < 2 and time.monotonic() < deadline:  # handlers run on threads of the SDK
        time.sleep(0.005)
    events = dict(told)
    assert events[ProviderEvent.PROVIDER_CONFIGURATION_CHANGED].flags_changed == [
        "part",
        "text",
        "thing",
        "whole",
    ]
    assert "last heard" in str(events[ProviderEvent.PROVIDER_STALE].message)
    details = client.get_boolean_details("canary", False, EvaluationContext("subject-1"))
    assert details.reason == Reason.STALE
