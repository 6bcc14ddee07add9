"""The event stream as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
from litestar.response import ServerSentEventMessage

from emily_router.stream import END, Stream

HEARTBEAT_S = 15.0


async def server_sent_events(
    stream: Stream, heartbeat_s: float = HEARTBEAT_S
) -> AsyncIterator[ServerSentEventMessage]:
    """Events as they come, and a comment when none came for `heartbeat_s`, until the stream closes."""
    with stream.watch() as watcher:
        yield ServerSentEventMessage(data=None, comment="watching")
        while True:
            event = None
            with anyio.move_on_after(heartbeat_s):
                event = await watcher.next()
            if event is END:
                return
            if event is None:
                yield ServerSentEventMessage(data=None, comment="alive")
            else:
                yield ServerSentEventMessage(data=event.data, event=event.name)
