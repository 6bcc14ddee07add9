from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import anyio
import msgspec
import pytest
from emily_bus import Bus, BusCongested, BusSettings, Change
from emily_bus.testing import Numbered, free_endpoint, numbered, start_router, take
from emily_contracts import Query, Topic

pytestmark = pytest.mark.anyio

EVENT = Topic("event/{lane}", Numbered, "Something.")


class Empty(msgspec.Struct, frozen=True, kw_only=True):
    pass


PING = Query("ping", Empty, Empty, "Answers.")


class Router:
    """A router that can be killed and started again on its endpoint."""

    def __init__(self) -> None:
        self.endpoint = free_endpoint()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self._process = start_router(self.endpoint)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(5)
            self._process = None


@pytest.fixture
def own_router() -> Iterator[Router]:
    router = Router()
    yield router
    router.kill()


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        while not condition():
            await anyio.sleep(0.01)


async def test_killed_router_is_noticed_and_all_works_again_when_it_is_back(
    own_router: Router,
) -> None:
    async def answer(question: Empty) -> Empty:
        return question

    settings = BusSettings(endpoint=own_router.endpoint)
    async with (
        Bus.open(settings, namespace="emily", name="one") as one,
        Bus.open(settings, namespace="emily", name="two") as two,
        two.subscribe(EVENT) as events,
        two.serve(PING, answer),
        two.alive("two"),
        one.presence() as changes,
    ):
        coming = aiter(changes)
        await one.publish(EVENT, numbered(1))
        assert await take(events, 1) == [numbered(1)]
        with anyio.fail_after(10):
            assert await anext(coming) == Change("two", True)
        own_router.kill()
        await until(lambda: not one.connected and not two.connected)
        with anyio.fail_after(10):
            assert await anext(coming) == Change("two", False)
        own_router.start()
        await until(lambda: one.connected and two.connected)
        with anyio.fail_after(10):
            assert await anext(coming) == Change("two", True)
        await one.publish(EVENT, numbered(2))
        assert await take(events, 1) == [numbered(2)]
        assert await one.ask(PING, Empty(), timeout=5) == Empty()


async def test_publisher_waits_for_the_router_to_come_back(own_router: Router) -> None:
    settings = BusSettings(endpoint=own_router.endpoint)
    async with Bus.open(settings, namespace="emily", name="one") as bus, anyio.create_task_group() as tasks:
        await bus.publish(EVENT, numbered(1))
        own_router.kill()
        await until(lambda: not bus.connected)
        published = anyio.Event()

        async def publish() -> None:
            await bus.publish(EVENT, numbered(2))
            published.set()

        tasks.start_soon(publish)
        await anyio.wait_all_tasks_blocked()
        assert not published.is_set()
        own_router.start()
        with anyio.fail_after(10):
            await published.wait()


async def test_publisher_gives_up_on_a_router_that_stays_away(own_router: Router) -> None:
    settings = BusSettings(endpoint=own_router.endpoint, publish_timeout_s=0.1)
    async with Bus.open(settings, namespace="emily", name="one") as bus:
        own_router.kill()
        await until(lambda: not bus.connected)
        with pytest.raises(BusCongested, match="the router is away"):
            await bus.publish(EVENT, numbered(1))
