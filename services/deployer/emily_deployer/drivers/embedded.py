"""Colours as processes of the embedded system: its supervisor is told which are wanted, and makes it so."""

from __future__ import annotations

import json
import os
import shutil
import signal
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated

import anyio
import anyio.to_thread
import msgspec
from emily_contracts.routing import Colour
from emily_postgres import url_of
from emily_postgres.apply import URL
from emily_runtime.stacks import CURRENT, Stack, read_stacks, write_stacks
from msgspec import Meta

from emily_deployer.drivers.driver import Hear
from emily_deployer.drivers.release import Release, canonical, read_release
from emily_deployer.drivers.tagged import PREFIX, Tags
from emily_deployer.errors import StepFailed
from emily_deployer.processes import run

POLL_S = 0.05
HTTP_TIMEOUT_S = 1.0
MIGRATION_TIMEOUT_S = 3600.0
DESCRIBE_TIMEOUT_S = 10.0
MOST_RESTARTS = 2
"""A part that ends more often while it is waited for crashes."""
REFUSED = "refused"
LEAVING = "leaving"
LOG_TAIL = 4096


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One process as the supervisor sees it."""

    name: str
    namespace: str
    pid: int | None
    state: str
    restarts: int
    last_exit: int | None = None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What the supervisor writes down."""

    pid: Annotated[int, Meta(gt=0)]
    parts: tuple[Part, ...]
    stacks: tuple[Stack, ...] = ()


class Embedded:
    """A `Driver` for the system that `emily up` started.

    Args:
        state_dir: Of that system.
        root: Its root namespace.
        first: The colour that runs when nobody said which are wanted.
    """

    def __init__(self, state_dir: Path, *, root: str = "emily", first: Colour = "blue") -> None:
        self._state_dir = state_dir
        self._root = root
        self._first = first
        self._tags = Tags(state_dir / "releases")

    async def resolve(self, version: str) -> str:
        """The version as a path that means the same from everywhere."""
        tag = (
            None if version == CURRENT or canonical(version) != version else await self._tags.resolve(version)
        )
        if tag is not None:
            return tag
        release = canonical(version)
        self._read(release)
        return release

    async def running(self) -> dict[str, str]:
        """What is wanted, which the supervisor makes so."""
        return {stack.colour: stack.release for stack in self._stacks()}

    async def describe(self, release: str) -> dict[str, str]:
        """Interpreter, source, revision and settings."""
        read = self._read(release)
        known = {"release": release, "name": read.name, "python": read.python, **read.environment}
        source = read.source or str(Path(__file__).parent)
        revision = release.rpartition("@")[2] if release.startswith(PREFIX) else await _revision(Path(source))
        return (
            known
            | ({"source": read.source} if read.source else {})
            | ({"revision": revision} if revision else {})
        )

    async def build(self, release: str) -> None:
        """Make sure that the code can be imported."""
        read = self._read(release)
        if release.startswith(PREFIX):
            await self._tags.take_out(release)
        await run(
            [read.python, "-c", "import emily_reflex, emily_workspace, emily_inference"],
            timeout_s=MIGRATION_TIMEOUT_S,
            environment=_imports(read),
            what=f"code of {read.name}",
        )

    async def expand(self, release: str) -> None:
        """Memory's migrations up to the first contraction, by the code of the release."""
        read = self._read(release)
        await self._migrate(read, read.migrations.expand, "expand migration")

    async def contract(self, release: str) -> None:
        """Memory's contractions too."""
        read = self._read(release)
        await self._migrate(read, read.migrations.contract, "contract migration", "--contract")

    async def start(self, colour: str, release: str) -> None:
        """Want it, and wait until the supervisor runs it, and nothing else as this colour."""
        await self._want((*self._without(colour), self._read(release).stack(colour, release)))

    async def ready(self, colour: str, hear: Hear) -> None:
        """Ask each part until it is ready; one that crashes or refuses its settings never will be."""
        while lacking := await self._lacking(colour):
            hear(lacking)
            await anyio.sleep(POLL_S)

    async def stop(self, colour: str) -> None:
        """Want it no more, and wait until the supervisor has ended it."""
        await self._want(self._without(colour))

    async def retire(self, colour: str) -> None:
        """Remove its checkpoints: whoever starts in this colour next is told what to go on from."""
        await anyio.to_thread.run_sync(
            lambda: shutil.rmtree(self._state_dir / "checkpoints" / self._root / colour, ignore_errors=True)
        )

    def _stacks(self) -> tuple[Stack, ...]:
        stacks = read_stacks(self._state_dir)
        return (Stack(colour=self._first),) if stacks is None else stacks

    def _read(self, release: str) -> Release:
        return self._tags.release(release) if release.startswith(PREFIX) else read_release(release)

    def _without(self, colour: str) -> tuple[Stack, ...]:
        return tuple(stack for stack in self._stacks() if stack.colour != colour)

    async def _want(self, stacks: tuple[Stack, ...]) -> None:
        """Until it is so; whoever waits sets the deadline."""
        if stacks != self._stacks():
            write_stacks(self._state_dir, stacks)
        self._wake()
        while not self._is_so(stacks):  # noqa: ASYNC110 - the supervisor writes it down
            await anyio.sleep(POLL_S)

    def _wake(self) -> None:
        try:
            os.kill(self._status().pid, signal.SIGHUP)
        except OSError as failure:
            raise StepFailed(f"the supervisor: {failure.strerror}; start it with: emily up") from None

    def _is_so(self, stacks: tuple[Stack, ...]) -> bool:
        status = self._status()
        return status.stacks == stacks and all(part.state != LEAVING for part in status.parts)

    def _parts(self, colour: str) -> list[Part]:
        return [part for part in self._status().parts if part.namespace == f"{self._root}/{colour}"]

    def _status(self) -> Status:
        file = self._state_dir / "run" / "supervisor.json"
        try:
            return msgspec.json.decode(file.read_bytes(), type=Status)
        except (OSError, msgspec.DecodeError) as failure:
            raise StepFailed(f"{file}: {failure}; start the system with: emily up") from None

    async def _lacking(self, colour: str) -> str:
        parts = self._parts(colour)
        for part in parts:
            if part.state == REFUSED or part.restarts > MOST_RESTARTS:
                raise StepFailed(
                    f"{part.name} of {colour} ended with {part.last_exit}, {part.restarts} restarts; "
                    f"the log says: {self._last_words()}"
                )
        lacking = [await anyio.to_thread.run_sync(self._unready, part) for part in parts]
        return "; ".join(filter(None, lacking)) if parts else "nothing of it runs"

    def _unready(self, part: Part) -> str:
        """What a part lacks; nothing when it is ready."""
        file = self._state_dir / "run" / part.namespace / f"{part.name}.json"
        try:
            announced = json.loads(file.read_text())
            if announced["pid"] != part.pid:
                return f"{part.name} has not announced itself yet"
            with urllib.request.urlopen(f"{announced['http']}/readyz", timeout=HTTP_TIMEOUT_S):  # noqa: S310
                return ""
        except FileNotFoundError:
            return f"{part.name} has not announced itself yet"
        except urllib.error.HTTPError as refused:
            with refused:
                return f"{part.name}: {refused.read().decode(errors='replace')}"
        except (OSError, ValueError, KeyError) as failure:
            return f"{part.name}: {failure}"

    def _last_words(self) -> str:
        try:
            with (self._state_dir / "log" / "emily.log").open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_TAIL))
                return log.read().decode(errors="replace").rpartition("\n")[0][-600:]
        except OSError as failure:
            return str(failure)

    async def _migrate(self, release: Release, own: tuple[str, ...] | None, what: str, *options: str) -> None:
        remembers = any(part.name == "postgres" for part in self._status().parts)
        if own is None and not remembers:
            return
        apply = (release.python, "-m", "emily_postgres.apply", "memory", "emily_memory.store", *options)
        database = {URL: url_of(self._state_dir / "postgres")} if remembers else {}
        await run(
            own or apply, timeout_s=MIGRATION_TIMEOUT_S, environment=_imports(release) | database, what=what
        )


def _imports(release: Release) -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(release.path)} if release.path else {}


async def _revision(source: Path) -> str:
    try:
        said = await run(
            ["git", "-C", str(source), "describe", "--always", "--dirty", "--tags"],
            timeout_s=DESCRIBE_TIMEOUT_S,
            what="git describe",
        )
    except StepFailed:
        return ""
    return said.strip()
