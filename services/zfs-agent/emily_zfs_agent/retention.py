"""Which snapshots are kept and which are destroyed, each with its reason; a function of values alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from emily_zfs_agent.policy import PERIODS, Policy
from emily_zfs_agent.snapshot import Snapshot


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a snapshot, and why, in words."""

    snapshot: Snapshot
    keep: bool
    reason: str


def retention(snapshots: Sequence[Snapshot], policy: Policy, now: datetime) -> tuple[Verdict, ...]:
    """A verdict on each snapshot of one dataset, in the order given.

    Laws: what is not ours, is held, or is the newest of ours is kept. Nothing at all is destroyed while the
    clock contradicts the snapshots. Time that passes destroys nothing by itself: a snapshot goes only when
    newer ones stand for its periods. Those that somebody asked for take no other's place, so that what was
    taken in one instant of many datasets is kept of all. The same verdicts follow again on what was kept.

    Raises:
        ValueError: They are of more than one dataset.
    """
    datasets = {snapshot.dataset for snapshot in snapshots}
    if len(datasets) > 1:
        raise ValueError(f"snapshots: of {', '.join(sorted(datasets))}; judge one dataset at a time")
    jumped = clock_jumped(snapshots, now)
    if jumped:
        return tuple(Verdict(snapshot=each, keep=True, reason=jumped) for each in snapshots)
    own = [each for each in snapshots if each.own]
    newest = max(own, key=_by_txg, default=None)
    standing = _standing(own, policy)
    return tuple(_verdict(each, newest, standing) for each in snapshots)


def clock_jumped(snapshots: Iterable[Snapshot], now: datetime) -> str:
    """Why the clock can't be believed; empty when it can."""
    ahead = max((each for each in snapshots if each.creation > now), key=_by_time, default=None)
    if ahead is None:
        return ""
    return (
        f"the clock jumped: {ahead.name} is of {ahead.creation:%Y-%m-%d %H:%M:%S}, later than now; "
        "nothing is destroyed until the clock has passed it or somebody has removed it"
    )


def _verdict(snapshot: Snapshot, newest: Snapshot | None, standing: dict[str, str]) -> Verdict:
    def kept(reason: str) -> Verdict:
        return Verdict(snapshot=snapshot, keep=True, reason=reason)

    if not snapshot.own:
        return kept("not taken by Emily")
    if snapshot.userrefs > 0:
        return kept(f"held by {snapshot.userrefs}")
    if snapshot.guid in standing:
        return kept(standing[snapshot.guid])
    if newest is not None and snapshot.guid == newest.guid:
        return kept("the newest")
    return Verdict(snapshot=snapshot, keep=False, reason="newer ones stand for it")


def _standing(own: Sequence[Snapshot], policy: Policy) -> dict[str, str]:
    """By guid, what a snapshot stands for."""
    reasons: dict[str, list[str]] = {}
    scheduled = sorted((each for each in own if each.scheduled), key=_by_time)
    for kind, count in policy.counts().items():
        newest_of = {PERIODS[kind](each.creation.astimezone(UTC)): each for each in scheduled}
        for number, period in enumerate(sorted(newest_of, reverse=True)[:count], 1):
            reasons.setdefault(newest_of[period].guid, []).append(f"{kind} {number} of {count} ({period})")
    requested = sorted((each for each in own if not each.scheduled), key=_by_time, reverse=True)
    for number, each in enumerate(requested[: policy.requested], 1):
        reasons[each.guid] = [f"on request, {number} of {policy.requested}"]
    return {guid: ", ".join(words) for guid, words in reasons.items()}


def _by_time(snapshot: Snapshot) -> tuple[datetime, int]:
    return snapshot.creation, snapshot.createtxg


def _by_txg(snapshot: Snapshot) -> tuple[int, datetime]:
    return snapshot.createtxg, snapshot.creation
