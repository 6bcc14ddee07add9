"""restic as a child process: without input, with a deadline, in its own words when it fails."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import msgspec

from emily_backup_agent.errors import (
    PlanInvalid,
    RepositoryLocked,
    RepositoryMissing,
    ResticFailed,
    ResticUnusable,
    Stopped,
    WrongPassword,
)
from emily_backup_agent.plan import Repository

LEAST = (0, 18)
"""Older ones exit with 1 whatever happened: half a success could not be told from a failure."""
DONE = 0
SOME_UNREADABLE = 3
LOCK_WAIT = "10s"
LOCK_TRIES = 12
"""How often it waits for a lock of somebody else. Between, locks of processes that are gone are removed: that
of one that ended a moment ago may have passed for a living one's."""
VERSION_TIMEOUT_S = 30.0
KILL_AFTER_S = 3.0
POLL_S = 0.2
_LAST_WORDS = 20
_REFUSALS: dict[int, tuple[type[ResticFailed], str]] = {
    10: (RepositoryMissing, "there is no repository there; was it moved, or is its disk not mounted?"),
    11: (RepositoryLocked, "somebody else works on it; wait until they are done"),
    12: (WrongPassword, "the password file does not open it; bring back the one that it was made with"),
}
_KEPT = ("PATH", "HOME", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "NO_PROXY")

type Line = dict[str, Any]
type Heard = Callable[[Line], None]


def find(program: Path | None) -> Path:
    """restic, once it is known to be new enough.

    Raises:
        ResticUnusable: It is not here, or too old.
    """
    found = shutil.which("restic" if program is None else str(program))
    if found is None:
        raise ResticUnusable(
            f"{program or 'restic'} is not here; install restic >= 0.18 (infra/restic/ shows how)"
        )
    try:
        said = subprocess.run(  # noqa: S603
            [found, "version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=VERSION_TIMEOUT_S,
            check=True,
        ).stdout.decode(errors="replace")
        version = tuple(int(part) for part in said.split()[1].split(".")[:2])
    except (OSError, subprocess.SubprocessError, IndexError, ValueError):
        raise ResticUnusable(f"{found}: does not tell its version as restic does") from None
    if version < LEAST:
        raise ResticUnusable(
            f"{found}: is {said.split()[1]}, which does not tell failures apart; install restic >= 0.18"
        )
    return Path(found)


class Restic:
    """A repository, through restic.

    Args:
        program: restic.
        repository: Where it lies, and what opens it.
        cache: Folder of its cache.
        stopping: Set: what runs is ended.
        held: Descriptors that it inherits; what is locked by one stays so until it has ended too.
    """

    def __init__(
        self,
        program: Path,
        repository: Repository,
        *,
        cache: Path,
        stopping: threading.Event,
        held: tuple[int, ...] = (),
    ) -> None:
        self._program = program
        self._repository = repository
        self._cache = cache
        self._stopping = stopping
        self._held = held

    def run(
        self,
        *words: str,
        deadline_s: float,
        heard: Heard | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> int:
        """Run it to its end, and give `DONE` or `SOME_UNREADABLE`.

        Args:
            words: Command and arguments.
            deadline_s: It is ended after.
            heard: Told every line of JSON that it says; a list comes as its items.
            environment: Added to its own.

        Raises:
            ResticFailed: It ended otherwise.
            Stopped: The agent was told to stop.
        """
        password = self._repository.password_file
        if not password.is_file():
            raise WrongPassword(f"{password}: is not there; bring back your copy of it")
        for _ in range(LOCK_TRIES - 1):
            try:
                return self._once(words, deadline_s, heard, environment or {})
            except RepositoryLocked:
                self._once(("unlock",), deadline_s, None, {})
        return self._once(words, deadline_s, heard, environment or {})

    def lines(self, *words: str, deadline_s: float) -> list[Line]:
        """Everything that it says.

        Raises:
            ResticFailed: It fails.
        """
        said: list[Line] = []
        self.run(*words, deadline_s=deadline_s, heard=said.append)
        return said

    def _once(
        self, words: tuple[str, ...], deadline_s: float, heard: Heard | None, environment: Mapping[str, str]
    ) -> int:
        errors: deque[str] = deque(maxlen=_LAST_WORDS)
        with (
            self._started(words, environment) as process,
            _guarded(process, deadline_s, self._stopping) as cut,
        ):
            reader = threading.Thread(target=_collect, args=(process.stderr, errors, heard), daemon=True)
            reader.start()
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            for line in _lines(process.stdout):
                if heard is not None:
                    heard(line)
            code = process.wait()
            reader.join()
        if self._stopping.is_set():
            raise Stopped("told to stop")
        if cut.is_set():
            raise ResticFailed(f"restic {words[0]}: not done within {deadline_s:g} s")
        if code in (DONE, SOME_UNREADABLE):
            return code
        raise self._refusal(words[0], code, errors)

    def _started(self, words: tuple[str, ...], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        # Ends with this process, however that ends: a lock of a living process is never stale.
        leash = shutil.which("setpriv")
        before = [] if leash is None else [leash, "--pdeathsig", "TERM"]
        command = [*before, str(self._program), "--json", "--retry-lock", LOCK_WAIT, *words]
        try:
            return subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment() | dict(environment),
                start_new_session=True,
                pass_fds=self._held,
            )
        except OSError as failure:
            raise ResticUnusable(f"{self._program}: {failure.strerror}") from None

    def _environment(self) -> dict[str, str]:
        repository = self._repository
        return {
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
            **_read_environment(repository.environment_file),
            "LC_ALL": "C.UTF-8",
            "RESTIC_REPOSITORY": repository.location,
            "RESTIC_PASSWORD_FILE": str(repository.password_file),
            "RESTIC_CACHE_DIR": str(self._cache),
            "RESTIC_PROGRESS_FPS": "2",
        }

    def _refusal(self, command: str, code: int, errors: Iterable[str]) -> ResticFailed:
        kind, remedy = _REFUSALS.get(code, (ResticFailed, ""))
        if remedy:
            return kind(f"{self._repository.location}: {remedy}")
        return kind(f"restic {command}: exit {code}: {'; '.join(errors) or 'it said nothing'}")


@contextlib.contextmanager
def _guarded(
    process: subprocess.Popen[bytes], deadline_s: float, stopping: threading.Event
) -> Iterator[threading.Event]:
    """Ends the process and all it started at the deadline, which sets what is given, or at a stop."""
    ended, cut = threading.Event(), threading.Event()

    def watch() -> None:
        left = deadline_s
        while not ended.wait(min(POLL_S, left)):
            left -= POLL_S
            if stopping.is_set() or left <= 0:
                if left <= 0:
                    cut.set()
                _end(process)
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield cut
    finally:
        ended.set()
        watcher.join()
        if process.poll() is None:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Of its own accord, so that it takes its lock along; else by force."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(KILL_AFTER_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _lines(stream: IO[bytes]) -> Iterable[Line]:
    """Objects among the lines; what is no JSON is for people."""
    for raw in stream:
        try:
            said = msgspec.json.decode(raw)
        except msgspec.DecodeError:
            continue
        yield from (each for each in (said if isinstance(said, list) else [said]) if isinstance(each, dict))


def _collect(stream: IO[bytes] | None, errors: deque[str], heard: Heard | None) -> None:
    """The last words, as people read them; what was no success is told in JSON on stderr."""
    for raw in stream or ():
        text = raw.decode(errors="replace").strip()
        with contextlib.suppress(msgspec.DecodeError):
            said = msgspec.json.decode(raw)
            if isinstance(said, dict):
                text = _words(said) or text
                if heard is not None:
                    heard(said)
        if text:
            errors.append(text)


def _words(said: Line) -> str:
    cause = said.get("error")
    reason = said.get("message") or (cause.get("message") if isinstance(cause, dict) else cause) or ""
    return f"{said['item']}: {reason}" if said.get("item") else str(reason)


def _read_environment(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    try:
        lines = [line.strip() for line in file.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as failure:
        raise PlanInvalid(f"repository.environment_file: {file}: {failure}") from None
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name.strip(): value.strip() for name, _, value in pairs}
