from __future__ import annotations

import pytest
from emily_router.errors import TooManyWatchers
from emily_router.sse import server_sent_events
from emily_router.stream import Stream
from emily_router.testing import decision_of, on_loop, stimulus


@on_loop
async def test_a_slow_watcher_loses_the_oldest_and_is_told_how_many() -> None:
    stream = Stream(watchers=2, capacity=3)
    decisions = [decision_of(stimulus()) for _ in range(5)]
    with stream.watch() as slow:
        for decision in decisions:
            stream.publish("decision", decision)
        dropped = await slow.next()
        assert (dropped.name, dropped.data) == ("dropped", b'{"count":2}')
        for decision in decisions[2:]:
            assert str(decision.id).encode() in (await slow.next()).data


@on_loop
async def test_room_is_bounded_and_given_back() -> None:
    stream = Stream(watchers=1, capacity=1)
    with stream.watch(), pytest.raises(TooManyWatchers, match="1 clients"):
        stream.require_room()
    stream.require_room()
    assert stream.watchers == 0


@on_loop
async def test_silence_is_filled_with_heartbeats_until_the_stream_closes() -> None:
    stream = Stream(watchers=1, capacity=1)
    shown = server_sent_events(stream, heartbeat_s=0.01)
    comments = [(await anext(shown)).comment for _ in range(3)]
    assert comments == ["watching", "alive", "alive"]
    stream.close()
    assert [event async for event in shown] == []
    assert stream.watchers == 0
