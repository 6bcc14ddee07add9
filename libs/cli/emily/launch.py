"""Starting, finding and stopping an embedded system."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from emily_postgres import accepts

from emily.bus_password import make_password
from emily.errors import NotUp, StartFailed
from emily.supervisor import SETTINGS_EXIT_CODE, SystemStatus, status_file
from emily.system import (
    Layout,
    Part,
    Preparation,
    alive,
    from_json,
    parts,
    port_is_free,
    preparations,
    to_json,
)

PREPARE_TIMEOUT_S = 120.0
READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
POLL_S = 0.02

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many steps are done, and of how many."""


def prepare(layout: Layout, progress: Progress) -> None:
    """Make what is made once: the data to learn from and the trained models.

    Raises:
        StartFailed: A command failed; its last lines are in the message.
    """
    layout.models.mkdir(parents=True, exist_ok=True, mode=0o700)
    stages = [[step for step in stage if not step.makes.exists()] for stage in preparations(layout)]
    total, done = sum(map(len, stages)), 0
    for stage in stages:
        started = [(step, _start(step)) for step in stage]
        for step, process in started:
            progress(step.title, done, total)
            _finish(step, process)
            done += 1
    if total:
        progress("prepared", total, total)


def up(layout: Layout, progress: Progress) -> SystemStatus:
    """Start the system in the background and wait until every part is ready.

    Raises:
        StartFailed: A port is taken, a part refuses its settings, or is not ready in time.
    """
    for port, option in ((layout.bus_port, "--bus-port"), (layout.http_port, "--http-port")):
        if not port_is_free(port):
            raise StartFailed(
                f"port {port} of 127.0.0.1 is taken",
                f"stop what listens there, or choose another with {option}",
            )
    prepare(layout, progress)
    run_dir = layout.state_dir / "run"
    run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    make_password(layout)
    for part in parts(layout):
        layout.announcement(part).unlink(missing_ok=True)
    layout_file = run_dir / "layout.json"
    layout_file.write_bytes(to_json(layout))
    layout.log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    supervisor = _detach((sys.executable, "-m", "emily.supervisor", str(layout_file)), layout.log)
    try:
        return _wait_until_ready(layout, supervisor, progress)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.kill(supervisor, signal.SIGTERM)
        _until_ended(supervisor, STOP_TIMEOUT_S)
        raise


def down(layout: Layout) -> bool:
    """Stop the system and wait for its end; False when it was not up.

    Raises:
        StartFailed: It did not end in time.
    """
    status = running(layout)
    if status is None:
        return False
    os.kill(status.pid, signal.SIGTERM)
    if not _until_ended(status.pid, STOP_TIMEOUT_S):
        raise StartFailed(
            f"the supervisor (process {status.pid}) did not end in {STOP_TIMEOUT_S:.0f} s",
            f"look into {layout.log}, or end it with: kill -9 {status.pid}",
        )
    return True


def running(layout: Layout) -> SystemStatus | None:
    """The system that runs in the layout's state folder; none when it is down."""
    try:
        status = from_json(status_file(layout).read_bytes(), SystemStatus)
    except FileNotFoundError:
        return None
    return status if alive(status.pid) else None


def require_running(layout: Layout) -> SystemStatus:
    """The running system.

    Raises:
        NotUp: There is none.
    """
    status = running(layout)
    if status is None:
        raise NotUp(f"Emily is not up in {layout.state_dir}", "start her with: emily up")
    return status


@contextlib.contextmanager
def temporarily(layout: Layout, progress: Progress) -> Iterator[SystemStatus]:
    """A system of its own for the length of the block."""
    status = up(layout, progress)
    try:
        yield status
    finally:
        down(layout)


def readiness(layout: Layout, part: Part) -> tuple[bool, str]:
    """Whether a part is ready, and what it lacks."""
    if part.name == "bus":
        return _listens(layout.bus_port), "does not listen yet"
    if part.name == "postgres":
        return accepts(layout.database), "takes no connections yet"
    try:
        address = json.loads(layout.announcement(part).read_text())["http"]
        with urllib.request.urlopen(f"{address}/readyz", timeout=1.0):  # noqa: S310 - always http on loopback
            return True, ""
    except FileNotFoundError:
        return False, "has not announced itself yet"
    except urllib.error.HTTPError as refused:
        with refused:
            return False, refused.read().decode(errors="replace")
    except (OSError, ValueError, KeyError) as failure:
        return False, str(failure)


def wait_until_ready(layout: Layout, part: Part, timeout_s: float = READY_TIMEOUT_S) -> None:
    """Wait for a part that `up` does not wait for.

    Raises:
        StartFailed: It is not ready in time.
    """
    deadline = time.monotonic() + timeout_s
    while not (ready := readiness(layout, part))[0]:
        if time.monotonic() > deadline:
            raise StartFailed(f"{part.name} is not ready: {ready[1]}", f"look into {layout.log}")
        time.sleep(POLL_S)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
    except OSError:
        return False
    return True


def _start(step: Preparation) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603
        step.command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )


def _finish(step: Preparation, process: subprocess.Popen[bytes]) -> None:
    try:
        _, errors = process.communicate(timeout=PREPARE_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise StartFailed(f"{step.title}: not done in {PREPARE_TIMEOUT_S:.0f} s", "try again") from None
    if process.returncode != 0 or not step.makes.exists():
        tail = errors.decode(errors="replace").strip()[-800:]
        raise StartFailed(f"{step.title}: exit {process.returncode}\n{tail}", "run: emily doctor")


def _wait_until_ready(layout: Layout, supervisor: int, progress: Progress) -> SystemStatus:
    waiting = [part for part in parts(layout) if part.awaited]
    total = len(waiting)
    deadline = time.monotonic() + READY_TIMEOUT_S
    lacks: dict[str, str] = {}
    while waiting:
        progress("waiting for " + ", ".join(part.name for part in waiting), total - len(waiting), total)
        _refuse_if_ended(layout, supervisor)
        for part in tuple(waiting):
            ready, lacks[part.name] = readiness(layout, part)
            if ready:
                waiting.remove(part)
        if waiting and time.monotonic() > deadline:
            late = "; ".join(f"{part.name}: {lacks[part.name]}" for part in waiting)
            raise StartFailed(f"not ready in {READY_TIMEOUT_S:.0f} s: {late}", f"look into {layout.log}")
        if waiting:
            time.sleep(POLL_S)
    progress("ready", total, total)
    return require_running(layout)


def _refuse_if_ended(layout: Layout, supervisor: int) -> None:
    _reap(supervisor)
    if not alive(supervisor):
        raise StartFailed("the supervisor ended", f"look into {layout.log}")
    status = running(layout)
    refused = [part.name for part in status.parts if part.last_exit == SETTINGS_EXIT_CODE] if status else []
    if refused:
        raise StartFailed(f"{', '.join(refused)} refused the settings", f"look into {layout.log}")


def _detach(command: tuple[str, ...], log: Path) -> int:
    """Start a process that outlives this one, in a session of its own; its output goes to the log."""
    nothing, appended = (
        os.open(os.devnull, os.O_RDONLY),
        os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600),
    )
    try:
        streams = [(os.POSIX_SPAWN_DUP2, nothing, 0)] + [(os.POSIX_SPAWN_DUP2, appended, n) for n in (1, 2)]
        return os.posix_spawn(command[0], command, os.environ, file_actions=streams, setsid=True)
    finally:
        os.close(nothing)
        os.close(appended)


def _until_ended(pid: int, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while alive(pid):
        _reap(pid)
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _reap(pid: int) -> None:
    """Collect the supervisor when it is our own child."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
