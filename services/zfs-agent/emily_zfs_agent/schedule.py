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


def scrub_is_due(scrubbed: datetime | None, every_days: int | None, now: datetime) -> bool:
    """Whether a pool that is scrubbed regularly was not for so long, or never."""
    if every_days is None:
        return False
    return scrubbed is None or now - scrubbed >= timedelta(days=every_days)
