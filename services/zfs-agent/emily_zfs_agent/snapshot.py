"""A snapshot as ZFS knows it, and what makes it ours."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

PREFIX = "emily-"
POLICY_PROPERTY = "org.emily:policy"
"""Set on each snapshot of ours when it is taken."""
REPLICA_PROPERTY = "org.emily:replica"
"""Set on each snapshot of ours that arrived on a target, with what it was taken for on its source."""
REQUESTED = "on request"
"""Its value where somebody asked; else it is the dataset whose policy was due, which has no blank."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot of one dataset.

    Attributes:
        name: `DATASET@SHORT`.
        creation: In UTC, by the clock of that moment.
        createtxg: Transaction group; rises even when the clock does not.
        guid: Stays when the name goes to another.
        userrefs: How many hold it.
        used: Bytes that nothing else refers to.
        policy: Our property of the two, set on the snapshot itself; empty when it has none or inherits one.
    """

    name: str
    creation: datetime
    createtxg: int
    guid: str
    userrefs: int = 0
    used: int = 0
    policy: str = ""

    @property
    def dataset(self) -> str:
        """That it is of."""
        return self.name.partition("@")[0]

    @property
    def short(self) -> str:
        """The name behind the `@`."""
        return self.name.partition("@")[2]

    @property
    def own(self) -> bool:
        """Whether we took it: our prefix and our property, both."""
        return self.short.startswith(PREFIX) and bool(self.policy)

    @property
    def scheduled(self) -> bool:
        """Whether it is ours and a policy took it."""
        return self.own and self.policy != REQUESTED


def short_name(at: datetime) -> str:
    """For a snapshot that is taken now; people read a time in it, we never do."""
    utc = at.astimezone(UTC)
    return f"{PREFIX}{utc:%Y%m%dT%H%M%S}.{utc.microsecond // 1000:03}Z"
