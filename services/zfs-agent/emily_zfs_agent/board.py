"""What is known of pools and datasets right now, for status and metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from emily_zfs_agent.capabilities import Capabilities
from emily_zfs_agent.desired import Desired
from emily_zfs_agent.policy import Policy
from emily_zfs_agent.pools import UNKNOWN, PoolState
from emily_zfs_agent.reading import Listing
from emily_zfs_agent.replication import Progress


class Protected(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset that a policy covers, as it was seen last.

    Attributes:
        by: Dataset of the policy.
        newest: Creation of its newest snapshot of ours; none when it never got one.
        snapshots: Of ours.
        held: Of them.
        problem: Why not all that was due was done; empty when it was.
    """

    dataset: str
    by: str
    policy: str
    newest: datetime | None = None
    snapshots: int = 0
    held: int = 0
    problem: str = ""


class Replicated(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset that is replicated.

    Attributes:
        keep: What is kept at the target; empty when nothing is destroyed there.
        progress: As it was seen last.
        problem: Why not all that was due was done; empty when it was.
        error: The last problem, also when it is over.
        error_at: When it was seen last.
        next_at: When the next snapshot is taken, which is sent then; none: at the next look.
    """

    dataset: str
    target: str
    keep: str = ""
    progress: Progress = Progress(at=None, due=False)
    problem: str = ""
    error: str = ""
    error_at: datetime | None = None
    next_at: datetime | None = None


class Board:
    """Every declared pool and every dataset with a policy is on it from the start, seen or not.

    What was seen of something that is not wished for any more is not put on it.

    Attributes:
        desired: That is in force; empty when nothing is wished for.
        refused: Why what is wished for now is not in force; empty when it is.
        idle: Why nothing is done; empty when something is.
        capabilities: Of the ZFS that is asked; none before it answered.
        looked_at: End of the last whole turn.
    """

    def __init__(self, desired: Desired | None) -> None:
        self.refused = ""
        self.idle = ""
        self.capabilities: Capabilities | None = None
        self.looked_at: datetime | None = None
        self._protected: dict[str, Protected] = {}
        self._replicated: dict[str, Replicated] = {}
        self._pools: dict[str, PoolState] = {}
        self.declare(desired or Desired(pools={}, datasets={}))

    def declare(self, desired: Desired) -> None:
        """Another desired state is in force; what is still wished for stays as it was seen last."""
        policies = desired.policies()
        covered = {name: each for name, each in self._protected.items() if each.by in policies}
        self._protected = {
            name: covered.get(name, Protected(dataset=name, by=name, policy=str(policy)))
            for name, policy in policies.items()
        } | covered
        before = self._replicated
        self._replicated = {
            name: _replicated(
                before.get(name), Replicated(dataset=name, target=str(wish), keep=str(wish.keep or ""))
            )
            for name, wish in desired.replications().items()
        }
        self._pools = {
            name: self._pools.get(name, PoolState(name=name, health=UNKNOWN)) for name in desired.pools
        }
        self.desired = desired

    @property
    def protected(self) -> tuple[Protected, ...]:
        """By name."""
        return tuple(self._protected[name] for name in sorted(self._protected))

    @property
    def replications(self) -> tuple[Replicated, ...]:
        """As declared."""
        return tuple(self._replicated.values())

    @property
    def pools(self) -> tuple[PoolState, ...]:
        """As declared."""
        return tuple(self._pools.values())

    def pool(self, name: str) -> PoolState:
        """A declared pool."""
        return self._pools[name]

    def could_not_see_pool(self, name: str) -> None:
        """How it was is no word on how it is."""
        if name in self._pools:
            self._pools[name] = msgspec.structs.replace(self._pools[name], health=UNKNOWN)

    def saw_pool(self, state: PoolState) -> PoolState:
        """A pool; when it was scrubbed is remembered while another scrub runs."""
        before = self._pools.get(state.name)
        if before is None:
            return state
        if state.busy and state.scrubbed is None:
            state = msgspec.structs.replace(state, scrubbed=before.scrubbed)
        self._pools[state.name] = state
        return state

    def saw_datasets(self, by: str, policy: Policy, seen: Listing, problems: Mapping[str, str]) -> None:
        """All that a policy covers, in place of what it covered before."""
        self._forget(by)
        if by not in self.desired.policies():
            return
        for dataset in (*seen.datasets, by):
            own = [each for each in seen.snapshots if each.dataset == dataset and each.own]
            self._protected[dataset] = Protected(
                dataset=dataset,
                by=by,
                policy=str(policy),
                newest=max((each.creation for each in own), default=None),
                snapshots=len(own),
                held=sum(each.userrefs > 0 for each in own),
                problem=problems.get(dataset, ""),
            )

    def could_not_see(self, by: str, problem: str) -> None:
        """What a policy covers stays as it was seen last, and the reason is told."""
        covered: Iterable[Protected] = [each for each in self._protected.values() if each.by == by]
        for each in covered:
            self._protected[each.dataset] = msgspec.structs.replace(each, problem=problem)

    def saw_replica(self, dataset: str, progress: Progress) -> None:
        """How far replication has come."""
        self._of_replica(dataset, progress=progress)

    def replicated(self, dataset: str, next_at: datetime) -> None:
        """All that was due arrived."""
        self._of_replica(dataset, problem="", next_at=next_at)

    def could_not_replicate(self, dataset: str, problem: str, now: datetime) -> bool:
        """The reason is told; whether it is a new one."""
        before = self._replicated.get(dataset)
        self._of_replica(dataset, problem=problem, error=problem, error_at=now, next_at=None)
        return before is None or before.problem != problem

    def _of_replica(self, dataset: str, **seen: Any) -> None:
        if dataset in self._replicated:
            self._replicated[dataset] = msgspec.structs.replace(self._replicated[dataset], **seen)

    def _forget(self, by: str) -> None:
        self._protected = {name: each for name, each in self._protected.items() if each.by != by}


def _replicated(before: Replicated | None, wish: Replicated) -> Replicated:
    """What was seen of a target stays true of it alone."""
    if before is None or before.target != wish.target:
        return wish
    return msgspec.structs.replace(before, keep=wish.keep)
