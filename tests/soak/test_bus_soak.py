"""A million messages on a reliable topic, from publishers and to a subscriber in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys

import anyio
import psutil
import pytest
from emily_bus import Bus, BusSettings
from emily_bus.testing import Numbered, numbered, router
from emily_contracts import Topic

MESSAGES = 1_000_000
PUBLISHERS = 4
PAUSE_EVERY = 50_000
"""The reader stands still now and then, so that every publisher runs out of credit."""

GROWTH_BYTES = 32 * 1024 * 1024
LIMIT_S = 1500
EVENT = Topic("soak/{lane}", Numbered, "One of a million.")

pytestmark = pytest.mark.soak


def test_a_million_messages_arrive_once_each_in_order_and_in_flat_memory() -> None:
    with router() as endpoint:
        subscriber = subprocess.Popen(
            (sys.executable, __file__, "subscribe", endpoint),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert subscriber.stdout is not None
        assert subscriber.stdout.readline() == b"ready\n"
        publishers = [
            subprocess.Popen(
                (sys.executable, __file__, "publish", endpoint, str(lane)), stdin=subprocess.DEVNULL
            )
            for lane in range(PUBLISHERS)
        ]
        try:
            told, _ = subscriber.communicate(timeout=LIMIT_S)
            assert [publisher.wait(60) for publisher in publishers] == [0] * PUBLISHERS
        finally:
            for process in (subscriber, *publishers):
                process.kill()
    result = json.loads(told)
    print(result)
    assert result["out of order, lost or repeated"] == 0
    assert result["received"] == MESSAGES
    assert result["statistics"] == {"dropped": 0, "undecodable": 0, "lost": 0, "repeated": 0}
    assert max(result["memory"][1:]) - result["memory"][1] < GROWTH_BYTES


async def publish(endpoint: str, lane: str) -> None:
    """This publisher's share of the messages, numbered."""
    settings = BusSettings(endpoint=endpoint, publish_timeout_s=60)
    async with Bus.open(settings, namespace="emily/soak", name=f"publisher-{lane}") as bus:
        for number in range(MESSAGES // PUBLISHERS):
            await bus.publish(EVENT, numbered(number, lane=lane))


async def subscribe(endpoint: str) -> None:
    """Read all and tell what came."""
    process = psutil.Process()
    awaited = {str(lane): 0 for lane in range(PUBLISHERS)}
    received = wrong = 0
    memory: list[int] = []
    settings = BusSettings(endpoint=endpoint)
    async with (
        Bus.open(settings, namespace="emily/soak", name="subscriber") as bus,
        bus.subscribe(EVENT) as events,
    ):
        print("ready", flush=True)
        async for message in events:
            received += 1
            wrong += message.number != awaited[message.lane]
            awaited[message.lane] = message.number + 1
            if received % PAUSE_EVERY == 0:
                memory.append(process.memory_info().rss)
                await anyio.sleep(0.2)
            if received == MESSAGES:
                break
        counts = events.statistics()
    statistics = {name: getattr(counts, name) for name in ("dropped", "undecodable", "lost", "repeated")}
    result = {
        "received": received,
        "out of order, lost or repeated": wrong,
        "statistics": statistics,
        "memory": memory,
    }
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "publish":
        anyio.run(publish, sys.argv[2], sys.argv[3])
    else:
        anyio.run(subscribe, sys.argv[2])
