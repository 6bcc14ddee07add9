"""Where the messages of one topic leave a session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from operator import attrgetter
from typing import Any

import anyio
import zenoh
from emily_contracts import Congestion, Overflow, Priority, Reliability
from emily_contracts.topic import AnyTopic

from emily_bus import attachment, codec
from emily_bus.credit import Window, credit_for, decode_grant, decode_reader, readers_of
from emily_bus.errors import BusCongested
from emily_bus.link import Link
from emily_bus.trace import traceparent

MOST_KEYS = 1024
"""Keys of a topic that stay declared; the one declared first makes room."""

_MEETING_S = 5.0

_PRIORITY = {
    Priority.REAL_TIME: zenoh.Priority.REAL_TIME,
    Priority.INTERACTIVE: zenoh.Priority.INTERACTIVE_HIGH,
    Priority.DATA: zenoh.Priority.DATA,
    Priority.BACKGROUND: zenoh.Priority.BACKGROUND,
}
_RELIABILITY = {
    Reliability.RELIABLE: zenoh.Reliability.RELIABLE,
    Reliability.BEST_EFFORT: zenoh.Reliability.BEST_EFFORT,
}
_CONGESTION = {Congestion.BLOCK: zenoh.CongestionControl.BLOCK, Congestion.DROP: zenoh.CongestionControl.DROP}


class Publisher:
    """Numbers and sends the messages of a topic, on a back-pressure topic within the readers' credit."""

    def __init__(
        self, session: zenoh.Session, link: Link, topic: AnyTopic, sender: bytes, timeout_s: float
    ) -> None:
        self._session = session
        self._link = link
        self._topic = topic
        self._sender = sender
        self._timeout_s = timeout_s
        self._field_values = _field_values(topic)
        self._puts: dict[object, Callable[..., None]] = {}
        self._window = Window(self._notice)
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._waiting = 0
        self._declared: list[Any] = []
        self._back_pressure = topic.qos.overflow is Overflow.BACK_PRESSURE
        if self._back_pressure:
            self._follow_readers()
        else:
            self._window.open()

    @property
    def must_wait(self) -> bool:
        """Whether the next message needs credit, or the router, that is not there."""
        window = self._window
        return window.sequence >= window.limit or (self._back_pressure and not self._link.up)

    def send(self, message: Any) -> None:
        """Number a message and hand it to Zenoh."""
        values = self._field_values(message)
        put = self._puts.get(values) or self._declare(values, message)
        payload = codec.encode(message)
        self._window.sequence += 1
        put(payload, attachment=attachment.encode(self._sender, self._window.sequence, traceparent.get()))

    async def wait(self) -> None:
        """Return when a message may be sent, with no suspension in between."""
        self._waiting += 1
        try:
            with anyio.fail_after(self._timeout_s):
                while self.must_wait:
                    self._news.clear()
                    if not self._link.up:
                        await self._link.wait_up()
                    elif self.must_wait:
                        await self._news.wait()
        except TimeoutError:
            reason = "a subscriber lives but does not read" if self._link.up else "the router is away"
            raise BusCongested(
                f"{self._topic.template}: no credit within {self._timeout_s:g} s; {reason}"
            ) from None
        finally:
            self._waiting -= 1

    def _notice(self) -> None:
        if self._waiting and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._news.set)

    def _declare(self, values: object, message: Any) -> Callable[..., None]:
        if len(self._puts) == MOST_KEYS:
            del self._puts[next(iter(self._puts))]
        qos = self._topic.qos
        publisher = self._session.declare_publisher(
            self._topic.of(message),
            congestion_control=_CONGESTION[qos.congestion],
            priority=_PRIORITY[qos.priority],
            reliability=_RELIABILITY[qos.reliability],
            express=qos.express,
        )
        self._puts[values] = publisher.put
        return publisher.put

    def _follow_readers(self) -> None:
        template = self._topic.template
        session = self._session

        def granted(sample: zenoh.Sample) -> None:
            grant = decode_grant(sample.payload.to_bytes())
            if grant is not None:
                self._window.grant(*grant)

        def changed(sample: zenoh.Sample) -> None:
            announced = decode_reader(str(sample.key_expr))
            if announced is None:
                return
            reader, room = announced
            if sample.kind == zenoh.SampleKind.PUT:
                self._window.join(reader, room)
            else:
                self._window.leave(reader)

        def present(reply: zenoh.Reply) -> None:
            if reply.ok is not None:
                changed(reply.ok)

        tokens = readers_of(template)
        # What answers the question goes to the follower where there is one. So both are heard on the thread
        # that reads the link: the end of the answer comes behind every reader.
        follow: zenoh.handlers.Callback[zenoh.Sample] = zenoh.handlers.Callback(changed, indirect=False)
        met: zenoh.handlers.Callback[zenoh.Reply] = zenoh.handlers.Callback(
            present, self._window.open, indirect=False
        )
        self._declared = [
            session.declare_subscriber(credit_for(template, self._sender), granted),
            session.liveliness().declare_subscriber(tokens, follow, history=True),
        ]
        session.liveliness().get(tokens, met, timeout=_MEETING_S)


def _field_values(topic: AnyTopic) -> Callable[[Any], object]:
    return attrgetter(*topic.fields) if topic.fields else lambda message: None
