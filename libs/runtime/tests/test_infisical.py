"""A value from Infisical is asked for anew as it ages, and held for a while when the server is away."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog
from emily_runtime.secrets import (
    SecretRefused,
    SecretUnavailable,
)
from emily_runtime.secrets.infisical_server import REST_S
from emily_runtime.testing.infisical import (
    VALUE,
    Clock,
    StandIn,
    source_on,
)

TTL_S, MAX_AGE_S = 60.0, 900.0


def test_a_value_is_asked_for_once_until_it_ages_and_a_rotated_one_shows_then(
    server: StandIn, clock: Clock
) -> None:
    source = source_on(server, clock)
    assert [source.read().reveal() for _ in range(3)] == [VALUE] * 3
    server.values["/memory", "DATABASE_URL"] = "rotated"
    clock.now += TTL_S - 1
    assert source.read().reveal() == VALUE
    clock.now += 1
    assert source.read().reveal() == "rotated"
    assert server.asked == ["login", "get", "get"]


def test_a_server_that_is_away_leaves_the_value_for_a_while_and_says_so_once(
    server: StandIn, clock: Clock
) -> None:
    source = source_on(server, clock)
    source.read()
    server.stop()
    clock.now += MAX_AGE_S / 2
    with structlog.testing.capture_logs() as lines:
        assert [source.read().reveal() for _ in range(3)] == [VALUE] * 3
    assert [(line["log_level"], line["event"]) for line in lines] == [
        ("warning", "secret is old, its server is away")
    ]
    assert (lines[0]["age_s"], lines[0]["reference"]) == (450.0, "infisical:/memory/DATABASE_URL")
    assert "hunter2" not in str(lines)
    server.start()
    server.values["/memory", "DATABASE_URL"] = "rotated meanwhile"
    clock.now += REST_S
    assert source.read().reveal() == "rotated meanwhile"


def test_a_value_that_is_too_old_is_not_used(server: StandIn, clock: Clock) -> None:
    source = source_on(server, clock)
    source.read()
    server.stop()
    clock.now += MAX_AGE_S + 1
    with pytest.raises(SecretUnavailable) as failure:
        source.read()
    assert str(failure.value) == (
        f"infisical:/memory/DATABASE_URL: {server.url} is away (ConnectionError), "
        "and the value held is 901 s old, where max_age_s=900 is allowed; "
        "bring the server back, or check EMILY_INFISICAL_URL"
    )
    server.start()
    clock.now += REST_S
    assert source.read().reveal() == VALUE


def test_without_a_server_from_the_start_there_is_no_value(server: StandIn, clock: Clock) -> None:
    server.stop()
    source = source_on(server, clock)
    with pytest.raises(SecretUnavailable, match=r"is away \(ConnectionError\), and no value is held"):
        source.read()
    started = time.perf_counter()
    with pytest.raises(SecretUnavailable, match="it was asked in vain less than 5 s ago"):
        source.read()
    assert time.perf_counter() - started < 0.1


def test_a_refusal_drops_the_value_at_once(server: StandIn, clock: Clock) -> None:
    source = source_on(server, clock)
    source.read()
    clock.now += TTL_S
    del server.values["/memory", "DATABASE_URL"]
    with pytest.raises(SecretRefused, match="answered 404"):
        source.read()
    server.stop()
    with pytest.raises(SecretUnavailable, match="no value is held"):
        source.read()


def test_many_threads_ask_once(server: StandIn, clock: Clock) -> None:
    server.slow_s = 0.05
    source = source_on(server, clock)
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda _: source.read().reveal(), range(16)))
    assert read == [VALUE] * 16
    assert server.asked == ["login", "get"]
