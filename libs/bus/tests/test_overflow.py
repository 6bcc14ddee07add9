from __future__ import annotations

import anyio
import pytest
from emily_bus import Subscription
from emily_bus.testing import Numbered, OpenBus, numbered, take
from emily_contracts import Congestion, Overflow, QoS, Topic

pytestmark = pytest.mark.anyio

ROOM = 8
STATE = Topic("state/{lane}", Numbered, "State.", QoS(overflow=Overflow.DROP_OLDEST, buffer=ROOM))
INPUT = Topic("input/{lane}", Numbered, "Input.", QoS(overflow=Overflow.REJECT, buffer=ROOM))
DROPPED = Topic(
    "telemetry/{lane}",
    Numbered,
    "Telemetry.",
    QoS(overflow=Overflow.DROP_OLDEST, congestion=Congestion.DROP, buffer=ROOM),
)


async def all_accounted_for(events: Subscription, count: int) -> None:
    with anyio.fail_after(5):
        while True:
            statistics = events.statistics()
            if statistics.depth + statistics.dropped + statistics.rejected == count:
                return
            await anyio.sleep(0.01)


async def test_newest_messages_stay_and_each_drop_is_counted(open_bus: OpenBus) -> None:
    async with open_bus() as sender, open_bus() as reader, reader.subscribe(STATE) as events:
        for number in range(20):
            await sender.publish(STATE, numbered(number))
        await all_accounted_for(events, 20)
        assert events.statistics().dropped == 20 - ROOM
        assert await take(events, ROOM) == [numbered(number) for number in range(20 - ROOM, 20)]
        assert events.statistics().lost == 0


async def test_first_messages_stay_and_each_refused_one_is_handed_over(open_bus: OpenBus) -> None:
    refused: list[Numbered] = []
    async with (
        open_bus() as sender,
        open_bus() as reader,
        reader.subscribe(INPUT, on_reject=refused.append) as events,
    ):
        for number in range(12):
            await sender.publish(INPUT, numbered(number))
        await all_accounted_for(events, 12)
        assert await take(events, ROOM) == [numbered(number) for number in range(ROOM)]
        assert refused == [numbered(number) for number in range(ROOM, 12)]
        statistics = events.statistics()
        assert (statistics.received, statistics.rejected) == (ROOM, 12 - ROOM)
        assert (statistics.lost, statistics.repeated) == (0, 0)


async def test_observer_that_drops_slows_nobody_down(open_bus: OpenBus) -> None:
    event = Topic("event/{lane}", Numbered, "Something.", QoS(buffer=ROOM))
    async with (
        open_bus(publish_timeout_s=0.2) as sender,
        open_bus() as reader,
        reader.subscribe(event, overflow=Overflow.DROP_OLDEST, buffer=2) as events,
    ):
        for number in range(10 * ROOM):
            await sender.publish(event, numbered(number))
        await all_accounted_for(events, 10 * ROOM)
        assert await take(events, 2) == [numbered(10 * ROOM - 2), numbered(10 * ROOM - 1)]


async def test_telemetry_reaches_a_reader_that_keeps_up(open_bus: OpenBus) -> None:
    async with open_bus() as sender, open_bus() as reader, reader.subscribe(DROPPED) as events:
        for number in range(5):
            await sender.publish(DROPPED, numbered(number))
            assert await take(events, 1) == [numbered(number)]
