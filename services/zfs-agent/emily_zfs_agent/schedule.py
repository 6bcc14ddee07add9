"""When a snapshot or a scrub is due."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from emily_zfs_agent.policy import PERIODS, Policy
from emily_zfs_agent.snapshot import Snapshot


def snapshot_is_due(snapshots: Iterable[Snapshot], policy: Policy, now: datetime) -> bool:
    """Whether the finest period that is kept has no scheduled snapshot yet.

    Args:
        snapshots: Of the dataset that the policy is of.
        policy: That is asked about.
        now: In any zone.
    """
    period = PERIODS[next(iter(policy.counts()))]
    current = period(now.astimezone(UTC))
    return all(period(each.creation.astimezone(UTC)) != current for each in snapshots if each.scheduled)


def next_due(policy: Policy, now: datetime) -> datetime:
    """When the next of the finest periods that are kept begins."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match next(iter(policy.counts())):
        case "hourly":
            return midnight + timedelta(hours=now.astimezone(UTC).hour + 1)
        case "daily":
            return midnight + timedelta(days=1)
        case "weekly":
            return midnight + timedelta(days=7 - midnight.weekday())
        case "monthly":
            return (midnight.replace(day=1) + timedelta(days=31)).replace(day=1)
        case _:
            return midnight.replace(year=midnight.year + 1, month=1, day=1)


def scrub_is_due(scrubbed: datetime | None, every_days: int | None, now: datetime) -> bool:
    """Whether a pool that is scrubbed regularly was not for so long, or never."""
    if every_days is None:
        return False
    return scrubbed is None or now - scrubbed >= timedelta(days=every_days)
