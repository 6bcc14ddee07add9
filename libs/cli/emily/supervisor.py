"""Keeps every part of the embedded system running; one process, no threads.

Started by `emily up` as `python -m emily.supervisor LAYOUT.json`; SIGHUP: other stacks are wanted now.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import IO

import msgspec
from emily_runtime.stacks import Stack

from emily.scheduling import stand_back
from emily.system import Layout, Part, as_deployed, from_json, parts, stacks, to_json

FIRST_BACKOFF_S = 0.1
LONGEST_BACKOFF_S = 10.0
SETTLED_AFTER_S = 30.0
STOP_DEADLINE_S = 8.0
LOG_LIMIT_BYTES = 16 * 1024 * 1024
SETTINGS_EXIT_CODE = 2

_PR_SET_PDEATHSIG = 1
_WAKE = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


class PartStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One part as the supervisor sees it.

    Attributes:
        state: `running`, `waiting` (for its restart), `refused` (wrong settings; not restarted) or `leaving`.
    """

    name: str
    namespace: str
    pid: int | None
    state: str
    restarts: int
    last_exit: int | None = None


class SystemStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The run file of an embedded system.

    Attributes:
        layout: With a colour that is wanted.
        stacks: That were wanted when the parts were last arranged.
    """

    pid: int
    started_at: float
    layout: Layout
    parts: tuple[PartStatus, ...]
    stacks: tuple[Stack, ...] = ()


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
        self.leaves_by: float | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Of a part: two of the same can't run at once."""
        return self.part.namespace, self.part.name

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

    def leave(self, now: float) -> None:
        """Tell it to end, for good."""
        if self.leaves_by is None:
            self.leaves_by = now + STOP_DEADLINE_S
            if self.process is not None:
                self.process.terminate()

    def status(self) -> PartStatus:
        state = "running" if self.process else "refused" if self.refused else "waiting"
        state = state if self.leaves_by is None else "leaving"
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
            wanted = stacks(layout)
            children = [_Child(part) for part in parts(layout, wanted)]
            try:
                _keep_running(layout, wanted, children, log, clock)
            finally:
                _stop(children, clock)
                status_file(layout).unlink(missing_ok=True)
    return 0


def status_file(layout: Layout) -> Path:
    """Where the supervisor writes what it sees."""
    return layout.state_dir / "run" / "supervisor.json"


def _keep_running(
    layout: Layout,
    wanted: tuple[Stack, ...],
    children: list[_Child],
    log: IO[bytes],
    clock: Callable[[], float],
) -> None:
    started_at = time.time()
    while True:
        now = clock()
        changed = [child.reap(now) for child in children]
        changed.append(_let_go(children, now))
        held = {child.key for child in children if child.leaves_by is not None}
        for child in children:
            if child.process is None and not child.refused and child.due <= now and child.key not in held:
                child.restarts += child.started > 0
                child.start(log, now)
                changed.append(True)
        if any(changed):
            _write_status(layout, wanted, children, started_at)
        woken = signal.sigtimedwait(_WAKE, max(0.0, min(_waits(children, now), default=60.0)))
        if woken is not None and woken.si_signo == signal.SIGHUP:
            wanted = stacks(layout)
            _rearrange(parts(layout, wanted), children, clock())
            _write_status(layout, wanted, children, started_at)
        elif woken is not None and woken.si_signo != signal.SIGCHLD:
            return


def _rearrange(parts: Iterable[Part], children: list[_Child], now: float) -> None:
    """Let go of stacks that are not wanted any more, and take in the new ones; the rest is left alone."""
    wanted = {(part.namespace, part.name): part for part in parts}
    staying: dict[tuple[str, str], _Child] = {}
    leaving = []
    for child in children:
        same = child.part == wanted.get(child.key) or not child.part.of_stack
        if same and child.leaves_by is None:
            staying[child.key] = child
        else:
            child.leave(now)
            leaving.append(child)
    children[:] = leaving + [staying.get(key) or _Child(part) for key, part in wanted.items()]


def _let_go(children: list[_Child], now: float) -> bool:
    """Forget who has left, and end who takes too long; whether anybody is gone."""
    for child in children:
        if child.leaves_by is not None and child.process is not None and child.leaves_by <= now:
            child.process.kill()
    gone = [child for child in children if child.leaves_by is not None and child.process is None]
    for child in gone:
        children.remove(child)
    return bool(gone)


def _waits(children: list[_Child], now: float) -> list[float]:
    """Seconds until something is due by itself."""
    held = {child.key for child in children if child.leaves_by is not None}
    return [child.leaves_by - now for child in children if child.leaves_by is not None] + [
        child.due - now
        for child in children
        if child.process is None and not child.refused and child.key not in held
    ]


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


def _write_status(
    layout: Layout, wanted: tuple[Stack, ...], children: list[_Child], started_at: float
) -> None:
    status = SystemStatus(
        pid=os.getpid(),
        started_at=started_at,
        layout=as_deployed(layout),
        parts=tuple(child.status() for child in children),
        stacks=wanted,
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
    if niceness:
        stand_back(niceness)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WAKE)


if __name__ == "__main__":
    sys.exit(supervise(from_json(Path(sys.argv[1]).read_bytes(), Layout)))
