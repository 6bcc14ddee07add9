"""What a mind lived while memory was away or could not write is kept later, and once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import anyio.to_thread
import psycopg
import pytest
from emily_contracts import Episode, Lived, LivedRequest, Role, Standing, StandingRequest, StoreRequest, uuid7
from emily_contracts.topics import CURRENT_STANDING, EXPERIENCE, LIVED
from emily_runtime.testing import ServiceProcess
from msgspec.structs import replace

pytestmark = pytest.mark.anyio

PAGE = 2
AWAY = "memory was away for longer than the mind holds what it lived"


def experience(number: int) -> StoreRequest:
    at = datetime.now(UTC)
    episode = Episode(id=uuid7(at), occurred_at=at, content=f"moment {number}")
    return StoreRequest(id=episode.id, at=at, stimulus_id=episode.id, namespace="mind", episode=episode)


class Held:
    """A mind that holds experiences until it hears that they are kept."""

    def __init__(self, experiences: Sequence[StoreRequest], *, given_up: int = 0) -> None:
        self.experiences = list(experiences)
        self.acknowledged: list[UUID] = []
        self.asked = 0
        self._given_up = given_up

    async def tell(self, request: LivedRequest) -> Lived:
        self.asked += 1
        self.acknowledged += request.kept
        self.experiences = [each for each in self.experiences if each.id not in request.kept]
        return Lived(experiences=tuple(self.experiences[:PAGE]), given_up=self._given_up)

    def is_empty(self) -> bool:
        return not self.experiences


@asynccontextmanager
async def started_again(
    process: ServiceProcess, url: str, held: Held, role: Role = Role.ACTIVE
) -> AsyncIterator[None]:
    """Memory, started beside a mind that holds experiences."""

    async def answer(_: StandingRequest) -> Standing:
        at = datetime.now(UTC)
        return Standing(id=uuid7(at), at=at, stimulus_id=uuid7(at), role=role, version=1)

    process.stop()
    async with (
        process.bus() as bus,
        bus.serve(LIVED, held.tell),
        bus.serve(CURRENT_STANDING, answer),
    ):
        await anyio.to_thread.run_sync(lambda: process.start(database_url=url, embedder="hashing"))
        yield


def kept(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT content FROM memory.episode ORDER BY content").fetchall()
    return [content for (content,) in rows]


def rejected(process: ServiceProcess) -> float:
    """Of experiences that were heard: left to the active colour."""
    try:
        return process.metric("emily_memory_rejected_total", reason="shadow")
    except LookupError:
        return 0.0


def dropped(url: str) -> int:
    """How many sessions that wait for a lock lose their connection now."""
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).rowcount


async def until(what: Callable[[], object], process: ServiceProcess) -> None:
    await anyio.to_thread.run_sync(lambda: process.wait_until(lambda: bool(what())))


async def test_what_was_lived_while_memory_was_away_is_kept_once(process: ServiceProcess, url: str) -> None:
    lived = [experience(number) for number in range(5)]
    async with process.bus() as bus:
        await bus.publish(EXPERIENCE, lived[2])
        await until(lambda: kept(url) == ["moment 2"], process)
    for held in (Held(lived), Held(lived)):
        async with started_again(process, url, held):
            await until(held.is_empty, process)
        assert held.acknowledged == [each.id for each in lived]
        assert kept(url) == [f"moment {number}" for number in range(5)]


async def test_what_cannot_be_kept_is_let_go_and_the_rest_is_kept(process: ServiceProcess, url: str) -> None:
    lived = [experience(number) for number in range(3)]
    other = replace(lived[1], episode=replace(lived[1].episode, content="another of the same id"))
    held = Held([*lived, other])
    async with started_again(process, url, held):
        await until(held.is_empty, process)
    assert kept(url) == [f"moment {number}" for number in range(3)]


async def test_what_is_heard_while_the_database_refuses_is_kept_when_the_mind_is_gone(
    process: ServiceProcess, url: str
) -> None:
    async with process.bus() as bus:
        with psycopg.connect(url) as connection:
            connection.execute("LOCK TABLE memory.episode IN ACCESS EXCLUSIVE MODE")
            await bus.publish(EXPERIENCE, experience(0))
            await until(lambda: dropped(url), process)
        await until(lambda: kept(url) == ["moment 0"], process)


async def test_what_was_erased_stays_erased(process: ServiceProcess, url: str) -> None:
    held = Held([experience(0), experience(1)])
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO memory.change (namespace, did, id) VALUES ('mind', 'erased', %s)",
            [held.experiences[0].id],
        )
    async with started_again(process, url, held):
        await until(lambda: kept(url) == ["moment 1"], process)


async def test_the_mind_of_a_shadow_is_not_asked(process: ServiceProcess, url: str) -> None:
    held = Held([experience(0)])
    async with started_again(process, url, held, Role.SHADOW), process.bus() as bus:
        await bus.publish(EXPERIENCE, experience(1))
        await until(lambda: rejected(process) == 1, process)
        assert not held.asked
        assert not kept(url)


async def test_what_the_mind_gave_up_is_said_once(process: ServiceProcess, url: str) -> None:
    held = Held([experience(number) for number in range(5)], given_up=3)
    async with started_again(process, url, held):
        await until(held.is_empty, process)
    assert [record["given_up"] for record in process.logged(AWAY)] == [3]
