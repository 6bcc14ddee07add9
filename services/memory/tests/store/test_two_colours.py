"""Two versions of memory on one database: the old one is asked all along while the next one comes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import anyio.to_thread
import psycopg
import pytest
from emily_bus import Bus
from emily_contracts import Episode, RecallRequest, StoreRequest, uuid7
from emily_contracts.curation import EditRequest, EraseRequest, ForgetRequest, ListRequest, ShowRequest
from emily_contracts.topics import (
    EDIT_MEMORY,
    ERASE_ACTOR,
    FORGET_MEMORY,
    LIST_MEMORIES,
    RECALL,
    SHOW_MEMORY,
    STORE,
)
from emily_memory.store.database import SCHEMA, migrations, opened
from emily_memory.testing import next_version
from emily_postgres import MigrationError
from emily_postgres.migrating import Database as Schema
from emily_postgres.migration import Migration, Phase, spoken, views_of
from emily_runtime.testing import ServiceProcess

pytestmark = pytest.mark.anyio

EVERY = next_version(Path(__file__).with_name("next_version"))
NOW, NEXT = spoken(migrations()), spoken(EVERY)
ASKERS = 4


class Blue:
    """Asks the old version, several questions at a time, and counts what is answered.

    Attributes:
        stored: Ids of what was acknowledged.
        answered: Requests of every kind.
        failed: What was not answered; there must be none.
    """

    def __init__(self, bus: Bus) -> None:
        self.stored: list[UUID] = []
        self.answered = 0
        self.failed: list[Exception] = []
        self._bus = bus
        self._numbers = count()

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        """For the length of the block."""
        async with anyio.create_task_group() as tasks:
            stop = anyio.Event()
            for _ in range(ASKERS):
                tasks.start_soon(self._ask_until, stop)
            yield
            stop.set()

    async def more(self, answers: int) -> None:
        """Wait for so many more answers."""
        await anyio.to_thread.run_sync(self.wait_for_more, answers)

    def wait_for_more(self, answers: int) -> None:
        """Like `more`, on another thread than the asking."""
        enough = self.answered + answers
        while self.answered < enough and not self.failed:
            time.sleep(0.002)

    async def _ask_until(self, stop: anyio.Event) -> None:
        while not stop.is_set():
            try:
                await self._round(next(self._numbers))
            except Exception as failure:
                self.failed.append(failure)
                return

    async def _round(self, number: int) -> None:
        """All that touches the tables: in, out, corrected, forgotten, listed and now and then erased."""
        identity = await self.store(f"moment {number}", actor=f"actor-{number}", session="talk")
        found = await self._answered(RECALL, RecallRequest(namespace="home", text=f"moment {number}"))
        assert found.episodes
        edit = said(EditRequest, memory_id=identity, importance=0.25, reason="less")
        edited = await self._answered(EDIT_MEMORY, edit)
        assert (edited.importance, edited.session) == (0.25, "talk")
        await self._answered(LIST_MEMORIES, ListRequest(namespace="home", session="talk"))
        if number % 5 == 0:
            await self._answered(FORGET_MEMORY, said(ForgetRequest, memory_id=edited.id))
        if number % 7 == 0:
            erase = said(EraseRequest, actor=f"actor-{number}", dry_run=False)
            await self._answered(ERASE_ACTOR, erase)
        else:
            self.stored.append(edited.id)

    async def store(self, content: str, **fields: Any) -> UUID:
        """Id of an episode that is durable now."""
        at = datetime.now(UTC)
        episode = Episode(id=uuid7(at), occurred_at=at, content=content, importance=0.75, **fields)
        identity: UUID = (await self._answered(STORE, said(StoreRequest, episode=episode))).id
        return identity

    async def importance(self, identity: UUID) -> float:
        """Of a memory, as the old version shows it."""
        shown = await self._answered(SHOW_MEMORY, ShowRequest(namespace="home", id=identity))
        return float(shown.importance)

    async def _answered(self, query: Any, request: Any) -> Any:
        answer = await self._bus.ask(query, request, timeout=10)
        self.answered += 1
        return answer


def said[S](type: Callable[..., S], **fields: Any) -> S:
    at = datetime.now(UTC)
    identity = uuid7(at)
    return type(id=identity, at=at, stimulus_id=identity, namespace="home", **fields)


def migrated(
    url: str, blue: Blue | None = None, *, contract: bool = False
) -> Awaitable[tuple[Migration, ...]]:
    """The next version's files, applied; between two steps the old version answers a few requests more."""

    def step(migration: Migration, rows: int) -> None:
        if blue is not None:
            blue.wait_for_more(2 * ASKERS)

    schema = Schema(url, SCHEMA)
    return anyio.to_thread.run_sync(lambda: schema.migrate(EVERY, contract=contract, progress=step))


def green(url: str) -> psycopg.Connection[Any]:
    """Of the next version, which has no code here."""
    return psycopg.connect(url, autocommit=True, options=f"-c search_path={views_of(SCHEMA, NEXT)},public")


async def test_blue_answers_every_request_while_green_grows_the_schema_under_it(
    process: ServiceProcess, url: str
) -> None:
    colour = process.namespace.rpartition("/")[2]
    async with process.bus() as bus:
        blue = Blue(bus)
        for number in range(100):
            await blue.store(f"before {number}")
        async with blue.asking():
            await blue.more(60)
            applied = await migrated(url, blue)
            assert [each.phase for each in applied] == [Phase.EXPAND, Phase.BACKFILL]
            await blue.more(60)
            with green(url) as connection:
                _both_see_the_same(connection, blue)
                written = _remembered_by_green(connection)
            with pytest.raises(MigrationError, match=rf"older colours live: {colour} \(version {NOW}\)"):
                await migrated(url, blue, contract=True)
            await blue.more(60)
        assert blue.failed == []
        assert await blue.importance(written) == pytest.approx(0.9)
    process.stop()
    assert [each.phase for each in await migrated(url, contract=True)] == [Phase.CONTRACT]
    with green(url) as connection:
        _both_see_the_same(connection, blue)
    with pytest.raises(MigrationError, match=f"memory_v{NOW}: a contraction removed it"):
        async with opened(url):
            pass


def _both_see_the_same(connection: psycopg.Connection[Any], blue: Blue) -> None:
    known = list(blue.stored)
    rows = connection.execute(
        "SELECT id, salience, conversation FROM episode WHERE id = ANY(%s)", [known]
    ).fetchall()
    assert {identity for identity, _, _ in rows} == set(known)
    assert {(salience, conversation) for _, salience, conversation in rows} == {(25, "talk")}
    assert connection.execute("SELECT count(*) FROM episode WHERE salience IS NULL").fetchone() == (0,)


def _remembered_by_green(connection: psycopg.Connection[Any]) -> UUID:
    identity = uuid7(datetime.now(UTC))
    connection.execute(
        "INSERT INTO episode (id, namespace, kind, content, content_hash, occurred_at, valid_from, salience)"
        " VALUES (%s, 'home', 'episode', 'green was here', %s, now(), now(), 90)",
        [identity, identity.bytes],
    )
    return identity
