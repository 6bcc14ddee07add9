"""Deploys in a file: each line is synchronised to disk before it counts, and one process holds the file."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import msgspec

from emily_deployer.deployment import Deployment
from emily_deployer.errors import Closed
from emily_deployer.store.store import Act, busy

KEPT = 200
"""Deploys that are remembered when the file is opened."""


class _Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    deployment: Deployment
    act: Act | None = None


class Journal:
    """A `Store` on one file. Made by `opened`."""

    def __init__(self, descriptor: int, lines: list[_Line]) -> None:
        self._descriptor = descriptor
        self._deployments: dict[UUID, Deployment] = {}
        self._acts: dict[UUID, list[Act]] = {}
        for line in lines:
            self._take(line)

    async def claim(self, deployment: Deployment, act: Act) -> None:
        """Keep a new deploy unless another is under way."""
        holder = await self.current()
        if holder is not None:
            raise busy(holder)
        await self.record(deployment, act)

    async def record(self, deployment: Deployment, act: Act | None = None) -> None:
        """Append one line; nothing of it counts unless all is on disk."""
        line = _Line(deployment=deployment, act=act)
        whole = os.fstat(self._descriptor).st_size
        try:
            _write(self._descriptor, [line])
        except OSError as failure:
            self._cut(whole)
            raise Closed(f"journal of deploys: {failure.strerror}; make room on its disk") from None
        self._take(line)

    async def current(self) -> Deployment | None:
        """The deploy that is not over."""
        return next((each for each in self._deployments.values() if each.ended_at is None), None)

    async def history(self, limit: int) -> list[Deployment]:
        """The newest first."""
        return list(reversed(self._deployments.values()))[:limit]

    async def acts(self, deployment: UUID) -> list[Act]:
        """In order."""
        return list(self._acts.get(deployment, ()))

    def _take(self, line: _Line) -> None:
        self._deployments[line.deployment.id] = line.deployment
        if line.act is not None:
            self._acts.setdefault(line.deployment.id, []).append(line.act)

    def _cut(self, size: int) -> None:
        """Take a line back that was written by half."""
        try:
            os.ftruncate(self._descriptor, size)
        except OSError as failure:
            raise Closed(f"journal of deploys: {failure.strerror}; make room on its disk") from None


@contextmanager
def opened(path: Path) -> Iterator[Journal]:
    """The journal, held by this process for the length of the block; a last line that is torn is dropped.

    Raises:
        Closed: Another process holds it, or it can't be read.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Closed(f"{path}: another deployer holds it; stop one of them") from None
        lines = _read(path)
        descriptor = os.open(_rewritten(path, lines), os.O_RDWR | os.O_APPEND)
        try:
            yield Journal(descriptor, lines)
        finally:
            os.close(descriptor)


def _read(path: Path) -> list[_Line]:
    try:
        whole = path.read_bytes()
    except FileNotFoundError:
        return []
    *complete, _ = whole.split(b"\n")
    try:
        lines = [msgspec.json.decode(line, type=_Line) for line in complete]
    except msgspec.DecodeError as failure:
        raise Closed(f"{path}: {failure}; move it away to begin anew") from None
    newest = list(dict.fromkeys(line.deployment.id for line in lines))[-KEPT:]
    return [line for line in lines if line.deployment.id in newest]


def _rewritten(path: Path, lines: list[_Line]) -> Path:
    """The file with these lines alone."""
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        _write(descriptor, lines)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    return path


def _write(descriptor: int, lines: list[_Line]) -> None:
    view = memoryview(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    while view:
        view = view[os.write(descriptor, view) :]
    os.fsync(descriptor)
