"""Keeps targets as new as their sources: sends what is due, one after the other, beside the agent's turns."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import anyio.abc
import anyio.from_thread
import anyio.to_thread
from emily_runtime.logs import get_logger

from emily_zfs_agent.board import Board
from emily_zfs_agent.commands import DEADLINE_S, SYSTEM_PATH, Commands
from emily_zfs_agent.errors import CommandFailed, NotReplicated, ZfsError
from emily_zfs_agent.metrics import Metrics
from emily_zfs_agent.policy import Policy
from emily_zfs_agent.replication import (
    LOGS,
    SSH_CONFIG,
    SSH_SETTINGS,
    Progress,
    Replication,
    command,
    look_at_target,
    outlived,
    overwritable,
    progress,
)
from emily_zfs_agent.retention import Verdict
from emily_zfs_agent.schedule import next_due
from emily_zfs_agent.snapshot import REPLICA_PROPERTY
from emily_zfs_agent.thinning import Thinning
from emily_zfs_agent.zfs import Zfs

_log = get_logger(__name__)

STOP_GRACE_S = 10.0
MOST_HEARD = 16 * 1024**2
LAST_WORDS = 2000


class Replicator:
    """Sends what the desired state says to send.

    Args:
        zfs: The ZFS of this machine, once it answers.
        board: Says what is wished for, and gets what is seen.
        metrics: Count.
        deadline_s: Of one replication; what was cut off goes on at the next.
        command_deadline_s: Of each command at the target.
    """

    def __init__(
        self,
        zfs: Callable[[], Awaitable[Zfs]],
        *,
        board: Board,
        metrics: Metrics,
        deadline_s: float,
        command_deadline_s: float = DEADLINE_S,
    ) -> None:
        self._zfs = zfs
        self._board = board
        self._metrics = metrics
        self._deadline_s = deadline_s
        self._command_deadline_s = command_deadline_s
        self._thinned: dict[str, Replication] = {}

    async def run(self, look_every_s: float) -> None:
        """Turn after turn, for ever."""
        while True:
            await self.turn()
            await anyio.sleep(look_every_s)

    async def turn(self) -> None:
        """Send what is due now; what fails is told, and does not keep the rest from being sent."""
        desired = self._board.desired
        for dataset, wish in desired.replications().items():
            try:
                await self._replicate(await self._zfs(), dataset, wish, desired.policies()[dataset])
            except ZfsError as failure:
                self._metrics.failures.labels("replicate").inc()
                if self._board.could_not_replicate(dataset, str(failure), datetime.now(UTC)):
                    _log.error("not replicated", dataset=dataset, target=str(wish), reason=str(failure))

    async def _replicate(self, zfs: Zfs, dataset: str, wish: Replication, policy: Policy) -> None:
        if not zfs.capabilities.bookmarks:
            raise NotReplicated(f"{dataset}: this ZFS ({zfs.capabilities.version}) has no bookmarks")
        recursive = policy.recursive
        look = partial(self._look, zfs, dataset, recursive)
        before = now = await anyio.to_thread.run_sync(look)
        self._board.saw_replica(dataset, before)
        if before.due:
            await self._require_room(zfs, dataset, wish, recursive)
            with TemporaryDirectory(prefix=LOGS) as folder:  # what it says is heard
                logs = Path(folder)
                (logs / SSH_CONFIG).write_text(SSH_SETTINGS)
                words = command(dataset, wish, recursive=recursive, logs=logs)
                await ran(words, deadline_s=self._deadline_s)
            now = await anyio.to_thread.run_sync(look)
            self._board.saw_replica(dataset, now)
            if now.due and now.at == before.at:
                raise NotReplicated(f"{dataset}: bzfs ended well, but nothing newer is at {wish}")
            await anyio.to_thread.run_sync(_tidy, zfs, dataset, recursive)
            self._thinned.pop(dataset, None)
            _log.info("replicated", dataset=dataset, target=str(wish))
        if wish.keep is not None and self._thinned.get(dataset) != wish and now.at is not None:
            await anyio.to_thread.run_sync(self._thin, zfs, dataset, wish, wish.keep, recursive)
            self._thinned[dataset] = wish
        self._board.replicated(dataset, next_due(policy, datetime.now(UTC)))

    def _thin(self, zfs: Zfs, dataset: str, wish: Replication, keep: Policy, recursive: bool) -> None:
        """What is sent only later is thinned out later; what fails is tried again at the next look."""
        there = Zfs(Commands(self._command_deadline_s, host=wish.host), mark=REPLICA_PROPERTY)

        def told(verdict: Verdict) -> None:
            gone = verdict.snapshot.name
            self._metrics.thinned.labels(dataset, str(wish)).inc()
            _log.info("destroyed", snapshot=gone, target=str(wish), reason=verdict.reason)

        def wanted() -> bool:
            anyio.from_thread.check_cancelled()
            return self._board.desired.replications().get(dataset) == wish

        thinning = Thinning(zfs, there, (dataset, wish.target), keep, recursive=recursive)
        thinning.run(datetime.now(UTC), told, wanted)

    async def _require_room(self, zfs: Zfs, dataset: str, wish: Replication, recursive: bool) -> None:
        """The target is not there, or what it holds has snapshots: then bzfs adds to it or says why not."""
        target = Commands(self._command_deadline_s, host=wish.host)
        try:
            written = await anyio.to_thread.run_sync(target.zfs, *look_at_target(wish))
        except CommandFailed as failure:
            if "does not exist" in failure.words:
                return
            raise
        seen = await anyio.to_thread.run_sync(partial(zfs.listing, dataset, recursive=recursive))
        targets = (wish.target + each.removeprefix(dataset) for each in seen.datasets)
        if lost := overwritable(written, targets):
            raise NotReplicated(
                f"{', '.join(lost)}: is there and has no snapshots, so a stream would overwrite it; "
                "name another target, or rename or destroy it"
            )

    @staticmethod
    def _look(zfs: Zfs, dataset: str, recursive: bool) -> Progress:
        return progress(
            zfs.listing(dataset, recursive=recursive), zfs.bookmarks(dataset, recursive=recursive)
        )


def _tidy(zfs: Zfs, dataset: str, recursive: bool) -> None:
    for name in outlived(zfs.bookmarks(dataset, recursive=recursive)):
        zfs.forget(name)


async def ran(words: tuple[str, ...], *, deadline_s: float) -> str:
    """What a program wrote that ended well; whatever it started ends with it.

    Raises:
        NotReplicated: It did not, or not in time; with its last words.
    """
    path = os.environ.get("PATH", os.defpath) + os.pathsep + SYSTEM_PATH
    try:
        process = await anyio.open_process(
            words,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            env=os.environ | {"LC_ALL": "C", "TZ": "UTC", "PATH": path},
            start_new_session=True,
        )
    except OSError as failure:
        raise NotReplicated(f"{words[0]}: {failure.strerror}") from None
    heard = b""
    try:
        with anyio.move_on_after(deadline_s) as scope:
            if process.stdout is not None:
                async for chunk in process.stdout:
                    heard = (heard + chunk)[-MOST_HEARD:]
            await process.wait()
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)
    written = heard.decode(errors="replace")
    last = " ".join(written[-LAST_WORDS:].split())
    if scope.cancelled_caught:
        raise NotReplicated(f"not done in {deadline_s:g} s, goes on at the next look: {last}")
    if process.returncode != 0:
        raise NotReplicated(f"exit {process.returncode}: {last or 'no word why'}")
    return written


async def _end(process: anyio.abc.Process) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, how)
            with anyio.move_on_after(STOP_GRACE_S):
                await process.wait()
    if process.stdout is not None:
        with anyio.move_on_after(STOP_GRACE_S):  # who else has its end of the pipe is ending too
            async for _ in process.stdout:
                pass
        await process.stdout.aclose()
