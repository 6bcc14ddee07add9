"""Does what is due, one thing at a time, and knows how all jobs stand."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from emily_contracts.backups import BackupStatus, Snapshot, What, Work

from emily_backup_agent.backup import Run
from emily_backup_agent.check import check
from emily_backup_agent.datasets import Storage
from emily_backup_agent.drill import Rehearsal
from emily_backup_agent.errors import BackupError
from emily_backup_agent.plan import Plan
from emily_backup_agent.record import Book, began, is_due
from emily_backup_agent.restic import find
from emily_backup_agent.standing import standing
from emily_backup_agent.work import Clock, opened, repository_of


class Agent:
    """All jobs of a plan.

    Args:
        plan: The jobs and their repository.
        folder: Of the agent's own files.
        program: restic; none takes the one on the PATH.
        database: Tells the URL of the memory database as it is now; none where there is none.
        clock: The time in UTC.
        storage: Takes snapshots of datasets; none where nobody does.

    Attributes:
        stopping: Set: what runs is ended.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        *,
        program: Path | None,
        database: Callable[[], str | None],
        clock: Clock,
        storage: Storage | None = None,
    ) -> None:
        self.stopping = threading.Event()
        self._plan = plan
        self._folder = folder
        self._program = program
        self._database = database
        self._clock = clock
        self._storage = storage
        self._work: Work | None = None
        self._asked: OrderedDict[tuple[str, What], None] = OrderedDict()

    @property
    def jobs(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._plan.jobs)

    def ask(self, job: str, what: What) -> datetime:
        """Let something be done next; when it was asked.

        Raises:
            BackupError: There is no such job.
        """
        if job not in self._plan.jobs:
            raise BackupError(f"job: there is no {job!r}; there are {', '.join(self.jobs)}")
        self._asked[job, what] = None
        return self._clock()

    def next(self, *, overdue: bool) -> tuple[str, What] | None:
        """What is to be done now: what somebody asked for, else what is due; none when nothing is.

        Args:
            overdue: Whether what is due is done too.
        """
        if self._asked:
            return self._asked.popitem(last=False)[0]
        if not overdue:
            return None
        now, book = self._clock(), self._book()
        for name, job in self._plan.jobs.items():
            record = book.of(name)
            if is_due(began(record.attempt), job.every_s, now, failures=record.failures):
                return name, "backup"
            drill_every_s = job.drill_every_s if record.drill == record.drilled else job.every_s
            if is_due(began(record.drill), drill_every_s, now):
                return name, "drill"
        return None

    def do(self, job: str, what: What) -> None:
        """Run a job, and for a drill restore and compare what that made; or check its repository; blocks.

        Raises:
            BackupError: It is not complete, or proved nothing.
        """
        self._tell_of(job, what, "starting", 0, 0)
        try:
            with opened(
                self._plan,
                self._folder,
                program=self._program,
                database_url=self._database(),
                stopping=self.stopping,
                clock=self._clock,
                makes=self._plan.repository.make,
                storage=self._storage,
            ) as room:

                def tell(step: str, done: int, total: int) -> None:
                    self._tell_of(job, what, step, done, total)

                if what == "check":
                    check(room, job, tell)
                    return
                attempt = Run(room, job, tell, digests=what == "drill").run()
                if what == "drill":
                    Rehearsal(room, job, attempt, tell).run()
        finally:
            self._work = None

    def snapshots(self, job: str) -> tuple[Snapshot, ...]:
        """Of a job, newest first; blocks.

        Raises:
            BackupError: There is no such job, or the repository can't be read.
        """
        if job not in self._plan.jobs:
            raise BackupError(f"job: there is no {job!r}; there are {', '.join(self.jobs)}")
        return repository_of(self._plan, self._folder, self._program, self.stopping).snapshots(job)

    def status(self) -> BackupStatus:
        """How all jobs stand now."""
        now, book, repository = self._clock(), self._book(), self._plan.repository
        work = self._work
        problem = ""
        try:
            find(self._program)
        except BackupError as failure:
            problem = str(failure)
        return BackupStatus(
            repository=repository.location,
            password_file=str(repository.password_file),
            same_disk=_on_same_disk(self._plan),
            jobs=tuple(
                standing(name, job, book.of(name), now, work) for name, job in self._plan.jobs.items()
            ),
            work=work,
            problem=problem,
        )

    def _book(self) -> Book:
        return Book(self._folder / "records.json")

    def _tell_of(self, job: str, what: What, step: str, done: int, total: int) -> None:
        self._work = Work(job=job, what=what, step=step, done=max(0, done), total=max(0, total))


def _on_same_disk(plan: Plan) -> bool:
    folder = plan.repository.folder
    if folder is None:
        return False
    device = _device(folder)
    return any(_device(path) == device for job in plan.jobs.values() for path in job.paths)


def _device(path: Path) -> int:
    there = next(each for each in (path, *path.parents) if each.exists())
    return there.stat().st_dev
