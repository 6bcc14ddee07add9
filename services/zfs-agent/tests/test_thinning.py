"""The laws of what may go from a target, for any snapshots, policy and clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from emily_zfs_agent.policy import Policy
from emily_zfs_agent.reading import Listing
from emily_zfs_agent.retention import retention
from emily_zfs_agent.snapshot import REQUESTED, Snapshot
from emily_zfs_agent.thinning import COMMON, NOTHING_COMMON, thinned, unmarked
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
TARGET = "b/a"
Known = frozenset[tuple[str, str]]


def snapshot(number: int, *, policy: str = "tank/a", dataset: str = TARGET, userrefs: int = 0) -> Snapshot:
    return Snapshot(
        name=f"{dataset}@emily-{number}",
        creation=NOW - timedelta(hours=1000 - number),
        createtxg=number,
        guid=str(number),
        userrefs=userrefs,
        policy=policy,
    )


@st.composite
def targets(draw: st.DrawFn) -> list[Snapshot]:
    """Of two datasets: marked or not, held or not, some from a future."""
    return [
        snapshot(
            number,
            policy=draw(st.sampled_from(("tank/a", "tank/a", REQUESTED, ""))),
            dataset=draw(st.sampled_from((TARGET, f"{TARGET}/below"))),
            userrefs=draw(st.sampled_from((0, 0, 0, 1))),
        )
        for number in sorted(draw(st.sets(st.integers(1, 1001), max_size=25)))
    ]


POLICIES = st.builds(Policy, hourly=st.integers(1, 4), daily=st.integers(0, 2), requested=st.integers(0, 3))
SHARES = st.sets(st.integers(1, 1001)).map(
    lambda numbers: frozenset((dataset, str(n)) for n in numbers for dataset in (TARGET, f"{TARGET}/below"))
)


@given(targets(), POLICIES, SHARES)
def test_what_is_held_or_has_no_mark_is_never_destroyed(
    there: list[Snapshot], policy: Policy, known: Known
) -> None:
    gone = [each.snapshot for each in thinned(there, policy, known, NOW) if not each.keep]
    assert all(each.own and not each.userrefs for each in gone)


@given(targets(), POLICIES, SHARES)
def test_the_next_increment_always_finds_where_to_begin(
    there: list[Snapshot], policy: Policy, known: Known
) -> None:
    kept = {each.snapshot.name for each in thinned(there, policy, known, NOW) if each.keep}
    for dataset in {each.dataset for each in there}:
        of_dataset = [each for each in there if each.dataset == dataset]
        common = [each for each in of_dataset if (dataset, each.guid) in known]
        if common:
            assert common[-1].name in kept
        else:
            assert {each.name for each in of_dataset} <= kept


@given(targets(), POLICIES, SHARES)
def test_no_more_goes_than_retention_of_the_source_would_let_go(
    there: list[Snapshot], policy: Policy, known: Known
) -> None:
    gone = {each.snapshot.name for each in thinned(there, policy, known, NOW) if not each.keep}
    for dataset in {each.dataset for each in there}:
        verdicts = retention([each for each in there if each.dataset == dataset], policy, NOW)
        assert not gone & {each.snapshot.name for each in verdicts if each.keep}


def test_reasons_say_why_one_stays_that_the_policy_would_not_keep() -> None:
    there = [snapshot(number) for number in range(1, 4)]
    policy = Policy(hourly=1)
    reasons = [each.reason for each in thinned(there, policy, frozenset({(TARGET, "2")}), NOW)]
    assert reasons == ["newer ones stand for it", COMMON, "hourly 1 of 1 (2026-10-16 23:00)"]
    alone = thinned(there, policy, frozenset({("b/other", "2")}), NOW)
    assert [each.reason for each in alone[:2]] == [NOTHING_COMMON] * 2


def test_only_what_arrived_from_a_snapshot_of_ours_is_marked() -> None:
    sent = Listing(
        ("tank/a",),
        (
            snapshot(1, dataset="tank/a"),
            snapshot(2, dataset="tank/a", policy=REQUESTED),
            snapshot(3, dataset="tank/a", policy=""),
            snapshot(4, dataset="tank/a"),
        ),
    )
    arrived = Listing((TARGET,), (*(snapshot(each, policy="") for each in (1, 2, 3, 5)), snapshot(4)))
    found = dict(unmarked(sent, arrived, "tank/a", TARGET))
    assert found == {"tank/a": ["b/a@emily-1"], REQUESTED: ["b/a@emily-2"]}
