"""The flags that are served now: read from the store, evaluated here, and said to every replica."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import anyio
from emily_contracts import uuid7
from emily_contracts.flags import FlagSnapshot
from emily_flags import Evaluator, Flag, document_of, parse_flag
from emily_flags.definition import KEY

from emily_flag_service.errors import NoSuchFlag
from emily_flag_service.experiment.report import Report, report
from emily_flag_service.metrics import Metrics
from emily_flag_service.store.entry import Change
from emily_flag_service.store.store import Store

type Say = Callable[[FlagSnapshot], Awaitable[None]]


class Book:
    """Every change goes through here.

    Args:
        store: Where flags are kept.
        say: Tells the replicas.
        metrics: What is counted.
        heartbeat_s: Promised to the replicas.

    Attributes:
        revision: That is served.
        flags: By key, without deleted ones.
        versions: Of the flags, by key.
        evaluator: Of this revision.
    """

    def __init__(self, store: Store, say: Say, *, metrics: Metrics, heartbeat_s: float) -> None:
        self.revision = -1
        self.flags: dict[str, Flag] = {}
        self.versions: dict[str, int] = {}
        self.evaluator = Evaluator()
        self.metrics = metrics
        self._store = store
        self._say = say
        self._heartbeat_s = heartbeat_s
        self._document = document_of((), 0)
        self._lock = anyio.Lock()

    def flag(self, key: str) -> Flag:
        """One of them.

        Raises:
            NoSuchFlag: There is none.
        """
        if key not in self.flags:
            raise NoSuchFlag(key)
        return self.flags[key]

    def snapshot(self) -> FlagSnapshot:
        """All flags, as replicas take them."""
        at = datetime.now(UTC)
        identity = uuid7(at)
        return FlagSnapshot(
            id=identity,
            at=at,
            stimulus_id=identity,
            revision=self.revision,
            document=self._document,
            heartbeat_s=self._heartbeat_s,
        )

    async def put(self, key: str, definition: Any, *, expected: int, author: str, reason: str) -> bool:
        """Define a flag anew and tell everybody; whether that changed anything.

        Raises:
            InvalidFlag: The definition can't be used.
            Outdated: The flag has another version.
        """
        flag = parse_flag(key, definition)
        change = await self._store.put(flag, expected=expected, author=author, reason=reason)
        if change is not None:
            await self._made(change)
        return change is not None

    async def delete(self, key: str, *, expected: int, author: str, reason: str) -> None:
        """Delete a flag and tell everybody.

        Raises:
            NoSuchFlag: There is none.
            Outdated: It has another version.
            InvalidFlag: Another flag needs it.
        """
        await self._made(await self._store.delete(key, expected=expected, author=author, reason=reason))

    async def history(self, key: str, *, limit: int) -> list[Change]:
        """The changes of a flag, newest first.

        Raises:
            NoSuchFlag: There never was one.
        """
        if not KEY.fullmatch(key):
            raise NoSuchFlag(key)
        return await self._store.history(key, limit=limit)

    async def experiment(self, key: str, version: int | None = None) -> Report:
        """What a version of a flag, by default the one that it has now, has shown so far.

        Raises:
            NoSuchFlag: There is none, or none of that version.
        """
        flag = self.flag(key)
        if version is None:
            version = self.versions[key]
        else:
            flag = parse_flag(key, await self._store.definition(key, version))
        return report(flag, version, await self._store.trials.of(key, version))

    async def refresh(self) -> None:
        """Serve what the store knows; said to everybody when it is new."""
        async with self._lock:
            if await self._store.revision() == self.revision:
                return
            revision, entries = await self._store.read()
            living = {key: entry for key, entry in entries.items() if entry.definition is not None}
            flags = {key: parse_flag(key, entry.definition) for key, entry in living.items()}
            document = document_of(flags.values(), revision)
            self.evaluator = Evaluator(document)
            self.revision, self.flags, self._document = revision, flags, document
            self.versions = {key: entry.version for key, entry in living.items()}
            await self.say()

    async def say(self) -> None:
        """Tell the replicas."""
        self.metrics.revision.set(self.revision)
        self.metrics.flags.set(len(self.flags))
        self.metrics.expired.set(sum(flag.expired() for flag in self.flags.values()))
        await self._say(self.snapshot())
        self.metrics.published.inc()

    async def _made(self, change: Change) -> None:
        self.metrics.changes.labels(change.action).inc()
        await self.refresh()
