"""What runs and drills share: the repository, the folder to work in, and whom they tell how far they are."""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from emily_backup_agent.datasets import Storage
from emily_backup_agent.errors import Busy
from emily_backup_agent.mounting import unmount_below
from emily_backup_agent.plan import Plan
from emily_backup_agent.record import Book
from emily_backup_agent.repository import Repository
from emily_backup_agent.restic import Restic, find

ORPHANS_S = 30.0
POLL_S = 0.05

type Tell = Callable[[str, int, int], None]
"""Told the step, and how much of how much is done of it."""
type Clock = Callable[[], datetime]


class Room(NamedTuple):
    """What a run works with.

    Attributes:
        plan: All jobs.
        repository: Where they go.
        book: What became of them.
        folder: Of the agent's own; what is there besides the records is nobody's after a run.
        database_url: Of the memory database; none where there is none.
        clock: The time in UTC.
        makes: Whether a repository is made where there never was one.
        storage: Takes snapshots of datasets; none where nobody does.
        at_the_end: Entered here is what is needed until the room is left.
    """

    plan: Plan
    repository: Repository
    book: Book
    folder: Path
    database_url: str | None
    clock: Clock
    makes: bool
    storage: Storage | None
    at_the_end: ExitStack

    @property
    def mounts(self) -> Path:
        """A folder for snapshots of datasets."""
        return self.folder / "mounts"

    @property
    def scratch(self) -> Path:
        """A folder for what a run needs for a while."""
        return self.folder / "scratch"


@contextmanager
def opened(
    plan: Plan,
    folder: Path,
    *,
    program: Path | None,
    database_url: str | None,
    stopping: threading.Event,
    clock: Clock,
    makes: bool,
    storage: Storage | None = None,
) -> Iterator[Room]:
    """The room, held alone for the length of the block; what a killed run left is cleared away before.

    Raises:
        Busy: Another process is in it.
        ResticUnusable: There is no restic that is new enough.
        SnapshotFailed: What a killed run mounted is still in use.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _hold(lock, folder)
        at_the_end = ExitStack()
        room = Room(
            plan=plan,
            repository=repository_of(plan, folder, program, stopping, held=(lock,)),
            book=Book(folder / "records.json"),
            folder=folder,
            database_url=database_url,
            clock=clock,
            makes=makes,
            storage=storage,
            at_the_end=at_the_end,
        )
        unmount_below(room.mounts)
        shutil.rmtree(room.scratch, ignore_errors=True)
        room.scratch.mkdir(mode=0o700)
        try:
            with at_the_end:
                yield room
        finally:
            shutil.rmtree(room.scratch, ignore_errors=True)
    finally:
        os.close(lock)


def repository_of(
    plan: Plan, folder: Path, program: Path | None, stopping: threading.Event, *, held: tuple[int, ...] = ()
) -> Repository:
    """The repository of a plan; without a lock that is `held`, to look into.

    Raises:
        ResticUnusable: There is no restic that is new enough.
    """
    restic = Restic(find(program), plan.repository, cache=folder / "cache", stopping=stopping, held=held)
    return Repository(restic, plan.host)


def _hold(lock: int, folder: Path) -> None:
    """Lock the room. What a killed run started holds it until that has ended, which is waited for."""
    deadline = time.monotonic() + ORPHANS_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 32, 0).decode(errors="replace").strip()
            if time.monotonic() > deadline or (holder.isdigit() and Path(f"/proc/{holder}").exists()):
                raise Busy(f"{folder}: another backup runs; wait until it is done") from None
            time.sleep(POLL_S)
        else:
            os.pwrite(lock, f"{os.getpid():<32}".encode(), 0)
            return
