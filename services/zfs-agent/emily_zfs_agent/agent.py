"""Does what is due, turn by turn: takes snapshots, lets retention judge, destroys, looks at what is left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Literal

import anyio
import anyio.to_thread
from emily_runtime.logs import get_logger

from emily_zfs_agent.board import Board
from emily_zfs_agent.commands import Commands
from emily_zfs_agent.desired import Desired, Pool
from emily_zfs_agent.destroying import destroyed, still_there
from emily_zfs_agent.errors import NotGone, ZfsError, ZfsMissing
from emily_zfs_agent.metrics import Metrics
from emily_zfs_agent.policy import Policy
from emily_zfs_agent.pools import MISSING
from emily_zfs_agent.reading import Listing
from emily_zfs_agent.retention import Verdict, clock_jumped, retention
from emily_zfs_agent.schedule import scrub_is_due, snapshot_is_due
from emily_zfs_agent.snapshot import REQUESTED, Snapshot, short_name
from emily_zfs_agent.zfs import Zfs

_log = get_logger(__name__)

Clock = Callable[[], datetime]
Change = Literal["taken", "destroyed"]
Say = Callable[[Change, Snapshot, str], Awaitable[None]]
"""Told what became of a snapshot, and why."""


class Agent:
    """Keeps what the desired state says to keep.

    Args:
        commands: Of the ZFS of this machine.
        board: Says what is wished for, and gets what is seen.
        metrics: Count.
        say: Tells others.
        clock: Of this machine.
    """

    def __init__(
        self,
        commands: Commands,
        *,
        board: Board,
        metrics: Metrics,
        say: Say,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        self._commands = commands
        self._board = board
        self._metrics = metrics
        self._say = say
        self._clock = clock
        self._zfs: Zfs | None = None
        self._told: dict[str, str] = {}

    @property
    def desired(self) -> Desired:
        """What is wished for now."""
        return self._board.desired

    async def run(self, look_every_s: float) -> None:
        """Turn after turn, for ever."""
        while True:
            await self.turn()
            await anyio.sleep(look_every_s)

    async def turn(self) -> None:
        """Do what is due now; what fails is told, and does not keep the rest from being done."""
        try:
            zfs = await self.zfs()
        except ZfsError:
            return
        desired = self.desired
        for name, pool in desired.pools.items():
            await self._look_at_pool(zfs, name, pool)
        for name, policy in desired.policies().items():
            try:
                await self._keep(zfs, name, policy)
            except ZfsError as failure:
                self._board.could_not_see(name, str(failure))
                self._note(name, "look", str(failure))
        self._board.looked_at = self._clock()

    async def zfs(self) -> Zfs:
        """The ZFS of this machine, once it answers.

        Raises:
            ZfsError: It does not.
        """
        if self._zfs is None:
            try:
                self._zfs = await anyio.to_thread.run_sync(Zfs, self._commands)
            except ZfsError as failure:
                self._board.idle = str(failure)
                if not isinstance(failure, ZfsMissing):
                    self._note("zfs", "look", str(failure))
                raise
            self._board.idle = ""
            self._board.capabilities = self._zfs.capabilities
        return self._zfs

    async def take(self, dataset: str, *, recursive: bool, policy: str = REQUESTED) -> Snapshot:
        """A snapshot that is taken now.

        Raises:
            ZfsError: It is not.
        """
        zfs = await self.zfs()
        name = f"{dataset}@{short_name(self._clock())}"
        await anyio.to_thread.run_sync(partial(zfs.take, name, policy=policy, recursive=recursive))
        taken = await anyio.to_thread.run_sync(zfs.snapshot, name)
        if taken is None:
            raise NotGone(f"{name}: ZFS said that it was taken, but it is not there")
        requested = policy == REQUESTED
        self._metrics.taken.labels("request" if requested else "policy").inc()
        why = "somebody asked" if requested else f"due by the policy of {policy}"
        await self._say("taken", taken, f"{why}, recursive" if recursive else why)
        return taken

    async def _keep(self, zfs: Zfs, name: str, policy: Policy) -> None:
        seen = await self._listing(zfs, name, policy)
        problems: dict[str, str] = {}
        of_root = [each for each in seen.snapshots if each.dataset == name]
        if snapshot_is_due(of_root, policy, self._clock()):
            try:
                await self.take(name, recursive=policy.recursive, policy=name)
                seen = await self._listing(zfs, name, policy)
            except ZfsError as failure:
                problems[name] = str(failure)
                self._note(name, "take", str(failure))
        for dataset in seen.datasets:
            jumped = clock_jumped((each for each in seen.snapshots if each.dataset == dataset), self._clock())
            if jumped:
                problems.setdefault(dataset, jumped)
        condemned = [each for each in judged(seen, policy, self._clock()) if not each.keep]
        if condemned:
            tried = [
                each
                for each in condemned
                if self.desired.policies().get(name) == policy and await self._destroy(zfs, each, problems)
            ]
            seen = await self._listing(zfs, name, policy)
            await self._report(tried, seen, problems)
        self._board.saw_datasets(name, policy, seen, problems)
        if not problems:
            self._told.pop(name, None)

    async def _destroy(self, zfs: Zfs, verdict: Verdict, problems: dict[str, str]) -> bool:
        """Whether it was told to go."""
        dataset = verdict.snapshot.dataset
        try:
            return await anyio.to_thread.run_sync(destroyed, zfs, verdict.snapshot)
        except ZfsError as failure:
            problems[dataset] = str(failure)
            self._note(f"{dataset} destroy", "destroy", str(failure))
            return False

    async def _report(self, tried: Iterable[Verdict], seen: Listing, problems: dict[str, str]) -> None:
        """Tell what is really gone, which is what is not listed any more."""
        tried = tuple(tried)
        stay = still_there((each.snapshot for each in tried), seen.snapshots)
        for verdict in tried:
            gone = verdict.snapshot
            if gone not in stay:
                self._metrics.destroyed.inc()
                await self._say("destroyed", gone, verdict.reason)
                continue
            problems[gone.dataset] = f"{gone.name}: still there, although ZFS said that it was destroyed"
            self._note(f"{gone.dataset} destroy", "destroy", problems[gone.dataset])

    async def _look_at_pool(self, zfs: Zfs, name: str, pool: Pool) -> None:
        try:
            state = self._board.saw_pool(await anyio.to_thread.run_sync(zfs.pool, name))
            due = scrub_is_due(state.scrubbed, pool.scrub_every_days, self._clock())
            if due and state.health != MISSING and not state.busy:
                await self._scrub(zfs, name)
        except ZfsError as failure:
            self._board.could_not_see_pool(name)
            self._note(name, "look", str(failure))

    async def _scrub(self, zfs: Zfs, name: str) -> None:
        try:
            await anyio.to_thread.run_sync(zfs.scrub, name)
            _log.info("scrub begun", pool=name)
        except ZfsError as failure:
            self._note(f"scrub of {name}", "scrub", str(failure))

    async def _listing(self, zfs: Zfs, name: str, policy: Policy) -> Listing:
        return await anyio.to_thread.run_sync(partial(zfs.listing, name, recursive=policy.recursive))

    def _note(self, about: str, what: str, words: str) -> None:
        """Count a failure; log it when it is another than before."""
        self._metrics.failures.labels(what).inc()
        if self._told.get(about) != words:
            self._told[about] = words
            _log.error("not done", what=what, about=about, reason=words)


def judged(seen: Listing, policy: Policy, now: datetime) -> tuple[Verdict, ...]:
    """The verdicts on all that a policy covers, dataset by dataset."""
    by_dataset: dict[str, list[Snapshot]] = {}
    for each in seen.snapshots:
        by_dataset.setdefault(each.dataset, []).append(each)
    return tuple(verdict for group in by_dataset.values() for verdict in retention(group, policy, now))
