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

pytestmark = pytest.mark.anyio

PAGE = 2
AWAY = "memory was away for longer than the mind holds what it lived; older is lost"


def experience(number: int) -> StoreRequest:
    at = datetime.now(UTC)
    episode = Episode(id=uuid7(at), occurred_at=at, content=f"moment {number}")
    return StoreRequest(id=episode.id, at=at, stimulus_id=episode.id, namespace="mind", episode=episode)


class Held:
    """A mind that holds experiences and tells them."""

    def __init__(self, experiences: Sequence[StoreRequest], *, cut: bool = False) -> None:
        self.experiences = list(experiences)
        self.asked: list[UUID | None] = []
        self._cut = cut

    async def tell(self, request: LivedRequest) -> Lived:
        self.asked.append(request.after)
        known = [each.id for each in self.experiences]
        begin = known.index(request.after) + 1 if request.after in known else 0
        page = tuple(self.experiences[begin : begin + PAGE])
        return Lived(experiences=page, more=begin + PAGE < len(known), cut=self._cut and not begin)

    @property
    def newest(self) -> UUID:
        return self.experiences[-1].id


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


def counted(process: ServiceProcess) -> tuple[float, float]:
    """Of experiences that were heard: kept, and left to the active colour."""

    def count(name: str, **labels: str) -> float:
        try:
            return process.metric(name, **labels)
        except LookupError:
            return 0.0

    return (
        count("emily_memory_stored_total", what="new"),
        count("emily_memory_rejected_total", reason="shadow"),
    )


async def until(what: Callable[[], object], process: ServiceProcess) -> None:
    await anyio.to_thread.run_sync(lambda: process.wait_until(lambda: bool(what())))


async def test_what_was_lived_while_memory_was_away_is_kept_once(process: ServiceProcess, url: str) -> None:
    held = Held([experience(number) for number in range(5)])
    async with process.bus() as bus:
        await bus.publish(EXPERIENCE, held.experiences[2])
        await until(lambda: kept(url) == ["moment 2"], process)
    for _ in range(2):
        async with started_again(process, url, held):
            await until(lambda: held.asked[-1:] == [held.experiences[3].id], process)
            await until(lambda: kept(url) == [f"moment {number}" for number in range(5)], process)


async def test_what_was_erased_stays_erased(process: ServiceProcess, url: str) -> None:
    held = Held([experience(0), experience(1)])
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO memory.change (namespace, did, id) VALUES ('mind', 'erased', %s)",
            [held.experiences[0].id],
        )
    async with started_again(process, url, held):
        await until(lambda: kept(url) == ["moment 1"], process)


@pytest.mark.parametrize("role", [Role.SHADOW, Role.IDLE])
async def test_a_mind_that_answers_nobody_is_not_asked(process: ServiceProcess, url: str, role: Role) -> None:
    held = Held([experience(0)])
    async with started_again(process, url, held, role), process.bus() as bus:
        await bus.publish(EXPERIENCE, experience(1))
        await until(lambda: sum(counted(process)) == 1, process)
        assert held.asked == []
        assert "moment 0" not in kept(url)


async def test_what_the_mind_gave_up_is_said(process: ServiceProcess, url: str) -> None:
    async with started_again(process, url, Held([experience(0)], cut=True)):
        await until(lambda: process.logged(AWAY), process)
        await until(lambda: process.metric("emily_memory_overrun_total") == 1, process)
