"""Keeps every part of the embedded system running; one process, no threads.

Started by `emily up` as `python -m emily.supervisor LAYOUT.json`.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO

import msgspec

from emily.system import Layout, Part, from_json, parts, to_json

FIRST_BACKOFF_S = 0.1
LONGEST_BACKOFF_S = 10.0
SETTLED_AFTER_S = 30.0
STOP_DEADLINE_S = 8.0
LOG_LIMIT_BYTES = 16 * 1024 * 1024
SETTINGS_EXIT_CODE = 2

_PR_SET_PDEATHSIG = 1
_WAKE = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}


class PartStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One part as the supervisor sees it.

    Attributes:
        state: `running`, `waiting` (for its restart) or `refused` (wrong settings; not restarted).
    """

    name: str
    namespace: str
    pid: int | None
    state: str
    restarts: int
    last_exit: int | None = None


class SystemStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The run file of an embedded system."""

    pid: int
    started_at: float
    layout: Layout
    parts: tuple[PartStatus, ...]


class _Child:
    """One part, its process and when it may start again."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.due = 0.0
        self.backoff = FIRST_BACKOFF_S
        self.restarts = 0
        self.last_exit: int | None = None
        self.refused = False

    def start(self, log: IO[bytes], now: float) -> None:
        self.process = subprocess.Popen(  # noqa: S603
            self.part.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | self.part.environment,
            preexec_fn=partial(_in_child, self.part.niceness),  # noqa: PLW1509 - the supervisor has no threads
        )
        self.started = now

    def reap(self, now: float) -> bool:
        """Note an exit and plan the restart; whether anything changed."""
        if self.process is None or self.process.poll() is None:
            return False
        self.last_exit = self.process.returncode
        self.process = None
        self.refused = self.last_exit == SETTINGS_EXIT_CODE
        if now - self.started > SETTLED_AFTER_S:
            self.backoff = FIRST_BACKOFF_S
        self.due = now + self.backoff
        self.backoff = min(2 * self.backoff, LONGEST_BACKOFF_S)
        return True

    def status(self) -> PartStatus:
        state = "running" if self.process else "refused" if self.refused else "waiting"
        return PartStatus(
            name=self.part.name,
            namespace=self.part.namespace,
            pid=self.process.pid if self.process else None,
            state=state,
            restarts=self.restarts,
            last_exit=self.last_exit,
        )


def supervise(layout: Layout, clock: Callable[[], float] = time.monotonic) -> int:
    """Run every part until SIGTERM; restart what ends, with growing pauses.

    Returns:
        0 after an orderly stop; 1 when another supervisor holds the state folder.
    """
    run_dir = layout.state_dir / "run"
    run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (run_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another supervisor runs in {layout.state_dir}", file=sys.stderr)
            return 1
        signal.pthread_sigmask(signal.SIG_BLOCK, _WAKE)
        with _open_log(layout.log) as log:
            children = [_Child(part) for part in parts(layout)]
            try:
                _keep_running(layout, children, log, clock)
            finally:
                _stop(children, clock)
                status_file(layout).unlink(missing_ok=True)
    return 0


def status_file(layout: Layout) -> Path:
    """Where the supervisor writes what it sees."""
    return layout.state_dir / "run" / "supervisor.json"


def _keep_running(layout: Layout, children: list[_Child], log: IO[bytes], clock: Callable[[], float]) -> None:
    started_at = time.time()
    while True:
        now = clock()
        changed = [child.reap(now) for child in children]
        for child in children:
            if child.process is None and not child.refused and child.due <= now:
                child.restarts += child.started > 0
                child.start(log, now)
                changed.append(True)
        if any(changed):
            _write_status(layout, children, started_at)
        waiting = [child.due - now for child in children if child.process is None and not child.refused]
        woken = signal.sigtimedwait(_WAKE, max(0.0, min(waiting, default=60.0)))
        if woken is not None and woken.si_signo != signal.SIGCHLD:
            return


def _stop(children: list[_Child], clock: Callable[[], float]) -> None:
    """End the parts against the way of a stimulus: who takes stimuli first, the bus last."""
    deadline = clock() + STOP_DEADLINE_S
    for child in reversed(children):
        if child.process is None:
            continue
        child.process.terminate()
        try:
            child.process.wait(max(0.1, deadline - clock()))
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()


def _write_status(layout: Layout, children: list[_Child], started_at: float) -> None:
    status = SystemStatus(
        pid=os.getpid(),
        started_at=started_at,
        layout=layout,
        parts=tuple(child.status() for child in children),
    )
    path = status_file(layout)
    temporary = path.with_suffix(".new")
    temporary.write_bytes(to_json(status))
    temporary.replace(path)


def _open_log(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def _in_child(niceness: int) -> None:
    """Before the part runs: end with a killed supervisor too, take signals again, stand back."""
    os.nice(niceness)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WAKE)


if __name__ == "__main__":
    sys.exit(supervise(from_json(Path(sys.argv[1]).read_bytes(), Layout)))
