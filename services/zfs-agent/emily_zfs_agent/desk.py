"""Answers what others ask: takes, holds, releases and lists snapshots, and tells how things stand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import anyio.to_thread
from emily_bus import AskRefused, Bus
from emily_contracts.snapshots import (
    DatasetSnapshot,
    DatasetSnapshots,
    DatasetSnapshotsRequest,
    HoldSnapshot,
    ProtectedDataset,
    ReleaseSnapshot,
    ReplicatedDataset,
    SnapshotHolds,
    SnapshotTaken,
    StoragePool,
    StorageStatus,
    StorageStatusRequest,
    TakeSnapshot,
)
from emily_contracts.topics import DATASET_SNAPSHOTS, HOLD_SNAPSHOT, RELEASE_SNAPSHOT, STORAGE, TAKE_SNAPSHOT

from emily_zfs_agent.agent import Agent, judged
from emily_zfs_agent.board import Board
from emily_zfs_agent.errors import Refused, ZfsError
from emily_zfs_agent.metrics import Metrics
from emily_zfs_agent.names import HOLD_PREFIX, hold_tag, parents, require_dataset, require_snapshot
from emily_zfs_agent.policy import Policy
from emily_zfs_agent.retention import Verdict
from emily_zfs_agent.zfs import Zfs

NO_POLICY = "no policy covers the dataset"


class Desk:
    """Where questions are answered.

    Args:
        agent: Does what is asked; none where nothing is wished for.
        board: Knows how things stand.
        metrics: Count what was not done.
    """

    def __init__(self, agent: Agent | None, board: Board, metrics: Metrics) -> None:
        self._agent = agent
        self._board = board
        self._metrics = metrics

    async def take(self, request: TakeSnapshot) -> SnapshotTaken:
        """A snapshot, held if a tag is given; when it can't be held it stays, and the answer is an error."""
        agent, zfs = await self._able()
        require_dataset(request.dataset, agent.desired.pools)
        tag = None if request.tag is None else self._tag(zfs, request.tag)
        taken = await agent.take(request.dataset, recursive=request.recursive)
        if tag is not None:
            hold = partial(zfs.hold, tag, taken.name, recursive=request.recursive)
            await anyio.to_thread.run_sync(hold)
        below = partial(zfs.listing, request.dataset, recursive=request.recursive)
        seen = await anyio.to_thread.run_sync(below)
        members = tuple(each for each in seen.snapshots if each.short == taken.short)
        return SnapshotTaken(
            snapshot=taken.name,
            guid=taken.guid,
            created_at=taken.creation,
            members=tuple(each.name for each in members),
            volumes=tuple(each.name for each in members if each.dataset in seen.volumes),
        )

    async def hold(self, request: HoldSnapshot) -> SnapshotHolds:
        """How it is held after."""
        agent, zfs = await self._able()
        require_snapshot(request.snapshot, agent.desired.pools)
        tag = self._tag(zfs, request.tag)
        hold = partial(zfs.hold, tag, request.snapshot, recursive=request.recursive)
        await anyio.to_thread.run_sync(hold)
        return await self._holds(zfs, request.snapshot)

    async def release(self, request: ReleaseSnapshot) -> SnapshotHolds:
        """How it is held after."""
        agent, zfs = await self._able()
        require_snapshot(request.snapshot, agent.desired.pools)
        tag = self._tag(zfs, request.tag)
        release = partial(zfs.release, tag, request.snapshot, recursive=request.recursive)
        await anyio.to_thread.run_sync(release)
        return await self._holds(zfs, request.snapshot)

    async def snapshots(self, request: DatasetSnapshotsRequest) -> DatasetSnapshots:
        """What there is, each with what retention says of it now: the same verdicts as those of a turn."""
        agent, zfs = await self._able()
        policies = agent.desired.policies()
        asked: list[tuple[str, bool, Policy | None]]
        if request.dataset is None:
            asked = [(name, policy.recursive, policy) for name, policy in policies.items()]
        else:
            require_dataset(request.dataset, agent.desired.pools)
            asked = [(request.dataset, False, _covering(policies, request.dataset))]
        found: list[DatasetSnapshot] = []
        unseen: list[str] = []
        for name, recursive, policy in asked:
            try:
                found += await anyio.to_thread.run_sync(_listed, zfs, name, recursive, policy)
            except ZfsError as failure:
                unseen.append(str(failure))
        return DatasetSnapshots(snapshots=tuple(found), unseen=tuple(unseen))

    async def status(self, _: StorageStatusRequest) -> StorageStatus:
        """How things stood at the last look, with ages as of now."""
        board, now = self._board, datetime.now(UTC)
        return StorageStatus(
            idle=board.idle,
            refused=board.refused,
            zfs="" if board.capabilities is None else board.capabilities.version,
            lost=() if board.capabilities is None else board.capabilities.lost(),
            looked_at=board.looked_at,
            pools=tuple(
                StoragePool(
                    name=pool.name,
                    health=pool.health,
                    size=pool.size,
                    used=pool.used,
                    scrubbed_at=pool.scrubbed,
                    busy=pool.busy,
                    errors=pool.errors,
                )
                for pool in board.pools
            ),
            datasets=tuple(
                ProtectedDataset(
                    dataset=each.dataset,
                    policy=each.policy,
                    newest_at=each.newest,
                    age_s=None if each.newest is None else (now - each.newest).total_seconds(),
                    snapshots=each.snapshots,
                    held=each.held,
                    problem=each.problem,
                )
                for each in board.protected
            ),
            replications=tuple(
                ReplicatedDataset(
                    dataset=each.dataset,
                    target=each.target,
                    keep=each.keep,
                    newest_at=each.progress.at,
                    age_s=None if each.progress.at is None else (now - each.progress.at).total_seconds(),
                    common=each.progress.common,
                    lag_s=None if each.progress.lag is None else each.progress.lag.total_seconds(),
                    problem=each.problem,
                    last_error=each.error,
                    last_error_at=each.error_at,
                    next_at=each.next_at,
                )
                for each in board.replications
            ),
        )

    @asynccontextmanager
    async def answering(self, bus: Bus) -> AsyncIterator[None]:
        """Answer all questions for the length of the block."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(bus.serve(STORAGE, self.status))
            await stack.enter_async_context(bus.serve(TAKE_SNAPSHOT, self._told(self.take)))
            await stack.enter_async_context(bus.serve(HOLD_SNAPSHOT, self._told(self.hold)))
            await stack.enter_async_context(bus.serve(RELEASE_SNAPSHOT, self._told(self.release)))
            await stack.enter_async_context(bus.serve(DATASET_SNAPSHOTS, self._told(self.snapshots)))
            yield

    def _told[Req, Rep](self, handler: Callable[[Req], Awaitable[Rep]]) -> Callable[[Req], Awaitable[Rep]]:
        """A handler whose errors are told to who asked."""

        async def answer(request: Req) -> Rep:
            try:
                return await handler(request)
            except Refused as refusal:
                raise AskRefused(str(refusal)) from None
            except ZfsError as failure:
                self._metrics.failures.labels("request").inc()
                raise AskRefused(str(failure)) from None

        return answer

    async def _able(self) -> tuple[Agent, Zfs]:
        if self._agent is None:
            raise Refused(f"{self._board.idle}, so no dataset may be named")
        return self._agent, await self._agent.zfs()

    async def _holds(self, zfs: Zfs, name: str) -> SnapshotHolds:
        now = await anyio.to_thread.run_sync(zfs.snapshot, name)
        return SnapshotHolds(snapshot=name, exists=now is not None, holds=0 if now is None else now.userrefs)

    @staticmethod
    def _tag(zfs: Zfs, tag: str) -> str:
        if not zfs.capabilities.holds:
            raise Refused(
                f"tag={tag}: this ZFS ({zfs.capabilities.version}) can't hold snapshots; leave it out"
            )
        return hold_tag(tag)


def _covering(policies: dict[str, Policy], dataset: str) -> Policy | None:
    if dataset in policies:
        return policies[dataset]
    above = (policies[each] for each in parents(dataset) if each in policies)
    return next((policy for policy in above if policy.recursive), None)


def _listed(zfs: Zfs, name: str, recursive: bool, policy: Policy | None) -> list[DatasetSnapshot]:
    seen = zfs.listing(name, recursive=recursive)
    tags = zfs.tags(each.name for each in seen.snapshots if each.userrefs > 0)
    verdicts = (
        tuple(Verdict(snapshot=each, keep=True, reason=NO_POLICY) for each in seen.snapshots)
        if policy is None
        else judged(seen, policy, datetime.now(UTC))
    )
    found = [
        DatasetSnapshot(
            snapshot=each.snapshot.name,
            guid=each.snapshot.guid,
            created_at=each.snapshot.creation,
            used=each.snapshot.used,
            holds=each.snapshot.userrefs,
            tags=tuple(tag.removeprefix(HOLD_PREFIX) for tag in tags.get(each.snapshot.name, ())),
            policy=each.snapshot.policy if each.snapshot.own else "",
            keep=each.keep,
            reason=each.reason,
        )
        for each in verdicts
    ]
    by_time = sorted(found, key=lambda each: each.created_at, reverse=True)
    return sorted(by_time, key=lambda each: each.snapshot.partition("@")[0])
