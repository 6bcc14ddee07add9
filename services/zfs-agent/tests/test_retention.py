"""The laws of retention, for any snapshots, policy and clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from emily_zfs_agent.policy import PERIODS, Policy
from emily_zfs_agent.retention import clock_jumped, retention
from emily_zfs_agent.snapshot import REQUESTED, Snapshot
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
START = NOW - timedelta(days=900)
COUNTS = st.integers(0, 4)


@st.composite
def histories(draw: st.DrawFn, latest: datetime = NOW) -> list[Snapshot]:
    """Snapshots of one dataset: ours, others', held, inheriting, with a clock that may have been wrong."""
    span = int((latest - START).total_seconds())
    near = st.integers(max(0, span - 200_000), span)
    numbers = draw(st.lists(st.integers(0, span) | near, max_size=30))
    return [
        Snapshot(
            name=f"tank/a@{draw(st.sampled_from(('emily-', 'zrepl_')))}{number}",
            creation=START + timedelta(seconds=seconds),
            createtxg=draw(st.integers(1, 40)),
            guid=str(number),
            userrefs=draw(st.sampled_from((0, 0, 0, 1))),
            policy=draw(st.sampled_from(("tank/a", "tank/a", REQUESTED, ""))),
        )
        for number, seconds in enumerate(numbers)
    ]


POLICIES = (
    st.tuples(*[COUNTS] * len(PERIODS))
    .filter(any)
    .map(lambda counts: Policy(**dict(zip(PERIODS, counts, strict=True)), requested=1 + sum(counts) % 3))
)


def kept(snapshots: list[Snapshot], policy: Policy, now: datetime = NOW) -> list[Snapshot]:
    return [each.snapshot for each in retention(snapshots, policy, now) if each.keep]


@given(histories(), POLICIES)
def test_each_gets_a_verdict_with_a_reason_in_the_order_given(
    snapshots: list[Snapshot], policy: Policy
) -> None:
    verdicts = retention(snapshots, policy, NOW)
    assert [each.snapshot for each in verdicts] == snapshots
    assert all(each.reason for each in verdicts)


@given(histories(), POLICIES)
def test_the_newest_is_never_destroyed(snapshots: list[Snapshot], policy: Policy) -> None:
    own = [each for each in snapshots if each.own]
    if own:
        left = kept(snapshots, policy)
        assert max(own, key=lambda each: (each.creation, each.createtxg)) in left
        assert max(own, key=lambda each: (each.createtxg, each.creation)) in left


@given(histories(), POLICIES)
def test_what_is_held_or_not_ours_is_never_destroyed(snapshots: list[Snapshot], policy: Policy) -> None:
    gone = {each.guid for each in snapshots} - {each.guid for each in kept(snapshots, policy)}
    for each in snapshots:
        if each.userrefs or not each.policy or not each.short.startswith("emily-"):
            assert each.guid not in gone


@given(histories(), POLICIES, st.integers(1, 900 * 86_400))
def test_nothing_is_destroyed_when_the_clock_jumped(
    snapshots: list[Snapshot], policy: Policy, seconds: int
) -> None:
    now = NOW - timedelta(seconds=seconds)
    if any(each.creation > now for each in snapshots):
        assert kept(snapshots, policy, now) == snapshots
        assert "the clock jumped" in clock_jumped(snapshots, now)


@given(histories(), POLICIES)
def test_the_same_verdicts_follow_on_what_was_kept(snapshots: list[Snapshot], policy: Policy) -> None:
    once = kept(snapshots, policy)
    assert kept(once, policy) == once


@given(histories(), POLICIES, st.timedeltas(timedelta(0), timedelta(days=9000)))
def test_time_that_passes_destroys_nothing(
    snapshots: list[Snapshot], policy: Policy, later: timedelta
) -> None:
    assert retention(snapshots, policy, NOW + later) == retention(snapshots, policy, NOW)


@given(histories(), POLICIES)
def test_as_many_periods_are_kept_as_were_asked_for(snapshots: list[Snapshot], policy: Policy) -> None:
    own = [each for each in snapshots if each.scheduled]
    left = [each for each in kept(snapshots, policy) if each.own]
    for kind, count in policy.counts().items():
        there = sorted({PERIODS[kind](each.creation) for each in own}, reverse=True)[:count]
        newest = {
            period: max(e.creation for e in own if PERIODS[kind](e.creation) == period) for period in there
        }
        assert set(newest.values()) <= {each.creation for each in left}
    asked_for = sorted(each.creation for each in snapshots if each.own and not each.scheduled)
    assert set(asked_for[-policy.requested :]) <= {each.creation for each in left}
    unheld = [each for each in left if not each.userrefs]
    assert len(unheld) <= sum(policy.counts().values()) + policy.requested + 1


@given(histories(), POLICIES)
def test_what_was_asked_for_takes_no_other_s_place(snapshots: list[Snapshot], policy: Policy) -> None:
    scheduled = [each for each in snapshots if each.scheduled]
    alone = [each.guid for each in kept(scheduled, policy)]
    together = [each.guid for each in kept(snapshots, policy) if each.scheduled]
    newest = max(scheduled, key=lambda each: (each.createtxg, each.creation), default=None)
    assert set(alone) - set(together) <= ({newest.guid} if newest else set())
    assert set(together) <= set(alone)


@given(histories(), POLICIES)
def test_the_order_of_the_list_does_not_matter(snapshots: list[Snapshot], policy: Policy) -> None:
    unique = list({(each.creation, each.createtxg): each for each in snapshots}.values())
    assert kept(unique[::-1], policy) == kept(unique, policy)[::-1]


def snapshot(at: str, **changes: object) -> Snapshot:
    made = Snapshot(
        name=f"tank/a@emily-{at}",
        creation=datetime.fromisoformat(at).replace(tzinfo=UTC),
        createtxg=int(datetime.fromisoformat(at).timestamp()),
        guid=at,
        policy="tank/a",
    )
    return msgspec.structs.replace(made, **changes)


def test_a_name_says_nothing_about_age() -> None:
    old = snapshot("2026-11-20T10:00", name="tank/a@emily-20991231T000000.000Z")
    new = snapshot("2026-11-27T10:00", name="tank/a@emily-garbage")
    verdicts = retention([old, new], Policy(daily=1), NOW)
    assert [each.keep for each in verdicts] == [False, True]


def test_each_verdict_says_why() -> None:
    told = {
        each.snapshot.guid: each.reason
        for each in retention(
            [
                snapshot("2026-11-27T11:50"),
                snapshot("2026-11-27T11:40", policy=REQUESTED),
                snapshot("2026-11-27T11:30", policy=REQUESTED),
                snapshot("2026-11-27T11:10"),
                snapshot("2026-11-26T23:00"),
                snapshot("2026-11-25T23:00", userrefs=2),
                snapshot("2026-11-24T23:00", name="tank/a@zrepl_1"),
            ],
            Policy(hourly=1, daily=2, requested=1),
            NOW,
        )
    }
    assert told == {
        "2026-11-27T11:50": "hourly 1 of 1 (2026-11-27 11:00), daily 1 of 2 (2026-11-27)",
        "2026-11-27T11:40": "on request, 1 of 1",
        "2026-11-27T11:30": "newer ones stand for it",
        "2026-11-27T11:10": "newer ones stand for it",
        "2026-11-26T23:00": "daily 2 of 2 (2026-11-26)",
        "2026-11-25T23:00": "held by 2",
        "2026-11-24T23:00": "not taken by Emily",
    }


def test_snapshots_of_two_datasets_are_not_judged_together() -> None:
    with pytest.raises(ValueError, match="tank/a, tank/b"):
        retention(
            [snapshot("2026-11-27T11:50"), snapshot("2026-11-27T11:10", name="tank/b@emily-1")],
            Policy(daily=1),
            NOW,
        )


def test_a_policy_that_keeps_nothing_is_not_made() -> None:
    with pytest.raises(ValueError, match="keeps nothing"):
        Policy(recursive=True)
