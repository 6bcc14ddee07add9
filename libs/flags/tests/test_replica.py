"""A replica knows the newest flags, says how old they are, and forgets nothing over a restart."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from emily_contracts import uuid7
from emily_contracts.flags import FlagSnapshot
from emily_flags import Flag, Replica, parse_flag
from emily_flags.testing import NOW, define, snapshot
from openfeature.exception import ProviderNotReadyError
from openfeature.flag_evaluation import Reason


@pytest.fixture
def on() -> Flag:
    return parse_flag("a", define(defaultVariant="on"))


@pytest.fixture
def off() -> Flag:
    return parse_flag("a", define(defaultVariant="off"))


def test_before_the_first_snapshot_nothing_is_known(on: Flag) -> None:
    replica = Replica()
    assert replica.stale
    assert replica.enabled("a", default=True)
    with pytest.raises(ProviderNotReadyError, match="no flags are known yet"):
        replica.resolve("boolean", "a", False, None)


def test_a_snapshot_is_known_at_once(on: Flag, off: Flag) -> None:
    replica = Replica()
    assert replica.take(snapshot(on))
    assert replica.enabled("a")
    assert replica.value("a").value is True
    assert replica.take(snapshot(off, revision=2, after_s=1))
    assert not replica.enabled("a", default=True)
    assert replica.revision == 2


def test_an_older_snapshot_changes_nothing(on: Flag, off: Flag) -> None:
    replica = Replica()
    replica.take(snapshot(on, revision=2, after_s=1))
    assert not replica.take(snapshot(off, revision=1))
    assert replica.enabled("a")


def test_a_restored_database_is_followed_back(on: Flag, off: Flag) -> None:
    replica = Replica()
    replica.take(snapshot(on, revision=9))
    assert replica.take(snapshot(off, revision=3, after_s=1))
    assert not replica.enabled("a")


def test_a_snapshot_that_can_not_be_used_is_counted_and_nothing_else(on: Flag) -> None:
    replica = Replica()
    replica.take(snapshot(on))
    broken = FlagSnapshot(
        id=uuid7(NOW), at=NOW, stimulus_id=uuid7(NOW), revision=2, document='{"flags": {"a": {"state": 3}}}'
    )
    assert not replica.take(broken)
    assert replica.refused == 1
    assert replica.enabled("a")


def test_silence_makes_stale_and_the_values_stay(on: Flag) -> None:
    replica = Replica()
    told: list[tuple[str, frozenset[str]]] = []
    replica.watch(lambda what, keys: told.append((what, keys)))
    replica.take(snapshot(on, heartbeat_s=1e-9))
    replica.look_at_age()
    details = replica.resolve("boolean", "a", False, None)
    assert (details.value, details.reason) == (True, Reason.STALE)
    replica.take(snapshot(on, after_s=1))
    assert replica.resolve("boolean", "a", False, None).reason == Reason.STATIC
    assert told[0] == ("changed", frozenset({"a"}))
    assert ("fresh", frozenset()) in told


def test_who_watches_is_told_of_changed_keys_only(on: Flag, off: Flag, canary: Flag) -> None:
    replica = Replica()
    told: list[frozenset[str]] = []

    def watcher(what: str, keys: frozenset[str]) -> None:
        if what == "changed":
            told.append(keys)

    replica.watch(watcher)
    replica.take(snapshot(on, canary))
    replica.take(snapshot(off, canary, revision=2, after_s=1))
    replica.take(snapshot(off, revision=3, after_s=2))
    replica.unwatch(watcher)
    replica.take(snapshot(on, revision=4, after_s=3))
    assert told == [frozenset({"a", "canary"}), frozenset({"a"}), frozenset({"canary"})]


def test_a_watcher_that_fails_stops_nobody_else(on: Flag, caplog: pytest.LogCaptureFixture) -> None:
    replica = Replica()
    told: list[str] = []

    def failing(what: str, keys: frozenset[str]) -> None:
        raise RuntimeError("no")

    replica.watch(failing)
    replica.watch(lambda what, keys: told.append(what))
    assert replica.take(snapshot(on))
    assert told == ["changed", "fresh"]
    assert "a watcher of flags failed" in caplog.text


def test_a_start_finds_the_last_known_values(tmp_path: Path, on: Flag) -> None:
    cache = tmp_path / "deep" / "flags.json"
    Replica(cache).take(snapshot(on, revision=4, after_s=-30))
    again = Replica(cache)
    assert again.revision == 4
    assert again.stale
    assert again.age_s == pytest.approx((datetime.now(UTC) - NOW).total_seconds() + 30, abs=20)
    assert again.enabled("a")
    assert again.resolve("boolean", "a", False, None).reason == Reason.STALE


@pytest.mark.parametrize("content", [b"", b"{", b'{"revision": 1}', b"\xff\x00"])
def test_a_torn_cache_is_not_used(tmp_path: Path, content: bytes) -> None:
    cache = tmp_path / "flags.json"
    cache.write_bytes(content)
    assert Replica(cache).revision == 0


def test_a_cache_that_can_not_be_written_stops_nothing(tmp_path: Path, on: Flag) -> None:
    (tmp_path / "file").write_text("")
    replica = Replica(tmp_path / "file" / "flags.json")
    assert replica.take(snapshot(on))
    assert replica.enabled("a")


def test_a_variant_is_given_by_name_or_left_to_the_code(canary: Flag) -> None:
    replica = Replica()
    assert replica.variant("canary", targeting_key="subject-1") is None
    killed = parse_flag("killed", define(state="DISABLED"))
    words = parse_flag("words", define(variants={"red": "r", "blue": "b"}, defaultVariant="blue"))
    replica.take(snapshot(canary, killed, words))
    given = {replica.variant("canary", targeting_key=f"subject-{number}") for number in range(100)}
    assert given == {"on", "off"}
    assert replica.variant("words", targeting_key="subject-1") == "blue"
    assert replica.variant("killed", targeting_key="subject-1") is None
    assert replica.variant("nothing", targeting_key="subject-1") is None


def test_a_variant_changes_with_the_flags_and_with_the_second(
    monkeypatch: pytest.MonkeyPatch, on: Flag, off: Flag
) -> None:
    replica = Replica()
    replica.take(snapshot(on))
    assert replica.variant("a", targeting_key="subject-1") == "on"
    replica.take(snapshot(off, revision=2, after_s=1))
    assert replica.variant("a", targeting_key="subject-1") == "off"

    from_thousand = {"if": [{">=": [{"var": "$flagd.timestamp"}, 1000]}, "on", "off"]}
    replica.take(snapshot(parse_flag("a", define(targeting=from_thousand)), revision=3, after_s=2))
    given = []
    for now in (999.0, 999.9, 1000.0, 1000.5):
        monkeypatch.setattr("time.time", lambda now=now: now)
        given.append(replica.variant("a", targeting_key="subject-1"))
    assert given == ["off", "off", "on", "on"]


def test_no_more_variants_are_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch, on: Flag) -> None:
    monkeypatch.setattr("emily_flags.replica.MOST_GIVEN", 2)
    monkeypatch.setattr("time.time", lambda: 1000.0)
    replica = Replica()
    replica.take(snapshot(on))
    assert {replica.variant("a", targeting_key=f"subject-{number}") for number in range(5)} == {"on"}
    assert len(replica._given[2]) == 2
