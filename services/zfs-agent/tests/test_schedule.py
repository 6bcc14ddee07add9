"""Due is what the current period lacks."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from emily_zfs_agent.policy import PERIODS, Policy
from emily_zfs_agent.schedule import next_due, scrub_is_due, snapshot_is_due
from emily_zfs_agent.snapshot import REQUESTED, Snapshot
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 27, 12, 30, tzinfo=UTC)


def taken(ago: timedelta, **changes: str) -> Snapshot:
    given = {"name": "tank/a@emily-1", "policy": "tank/a"} | changes
    return Snapshot(creation=NOW - ago, createtxg=1, guid="1", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("policy", "ago", "due"),
    [
        (Policy(hourly=1), timedelta(minutes=29), False),
        (Policy(hourly=1), timedelta(minutes=31), True),
        (Policy(daily=1), timedelta(hours=12), False),
        (Policy(daily=1, yearly=3), timedelta(hours=13), True),
        (Policy(weekly=1), timedelta(days=4), False),
        (Policy(weekly=1), timedelta(days=5), True),
        (Policy(yearly=1), timedelta(days=330), False),
    ],
)
def test_the_finest_period_that_is_kept_decides(policy: Policy, ago: timedelta, due: bool) -> None:
    assert snapshot_is_due([taken(ago)], policy, NOW) is due


def test_only_scheduled_snapshots_count() -> None:
    others = [
        taken(timedelta(0), policy=REQUESTED),
        taken(timedelta(0), policy=""),
        taken(timedelta(0), name="tank/a@zrepl"),
    ]
    assert snapshot_is_due(others, Policy(hourly=1), NOW)
    assert snapshot_is_due([], Policy(hourly=1), NOW)


def test_a_scrub_is_due_when_the_last_is_too_old_or_unknown() -> None:
    assert scrub_is_due(None, 30, NOW)
    assert scrub_is_due(NOW - timedelta(days=30), 30, NOW)
    assert not scrub_is_due(NOW - timedelta(days=29), 30, NOW)
    assert not scrub_is_due(None, None, NOW)


@given(st.sampled_from(tuple(PERIODS)), st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)))
def test_the_next_is_due_when_the_next_period_begins(period: str, wall: datetime) -> None:
    now = wall.replace(tzinfo=UTC)
    due = next_due(msgspec.convert({period: 1}, Policy), now)
    last_moment = due - timedelta(microseconds=1)
    assert due > now
    assert PERIODS[period](last_moment) == PERIODS[period](now) != PERIODS[period](due)
