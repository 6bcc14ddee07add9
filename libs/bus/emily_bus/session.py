"""A session on the bus: publish, subscribe, serve, ask, and who is alive."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Self

import anyio
import anyio.abc
import anyio.to_thread
import msgspec
import zenoh
from emily_contracts import Congestion, Message, Overflow, Priority, Query, Reliability, Topic
from emily_contracts.topic import AnyTopic

from emily_bus import attachment, presence, query
from emily_bus.credit import CREDIT, SUBSCRIPTION, Grant, Outlet, slug
from emily_bus.errors import BusCongested, BusUnavailable
from emily_bus.presence import Changes
from emily_bus.settings import BusSettings, session_config
from emily_bus.subscription import Subscription
from emily_bus.trace import traceparent

CREDIT_TIMEOUT_S = 10.0
LINK_POLL_S = 0.1
MOST_OUTLETS = 4096

_log = logging.getLogger("emily_bus")

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


class _Line:
    """A declared Zenoh publisher and what it has out."""

    def __init__(self, publisher: zenoh.Publisher, outlet: Outlet) -> None:
        self.publisher = publisher
        self.outlet = outlet


class Bus:
    """An open session in one namespace. Made by `Bus.open`.

    Attributes:
        name: Who speaks, for logs and liveliness.
        namespace: Under which all keys lie.
    """

    def __init__(self, session: zenoh.Session, name: str, namespace: str, tasks: anyio.abc.TaskGroup) -> None:
        self.name = name
        self.namespace = namespace
        self._session = session
        self._tasks = tasks
        self._sender = secrets.token_bytes(8)
        self._encoder = msgspec.msgpack.Encoder()
        self._lines: dict[tuple[AnyTopic, str], _Line] = {}
        self._subscribers: dict[str, set[str]] = {}
        self._kept: list[Any] = []
        self._complained: set[tuple[str, str]] = set()
        self._connected = True

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: BusSettings, *, namespace: str, name: str) -> AsyncIterator[Self]:
        """A connected session for the length of the block.

        Raises:
            BusUnavailable: The router was not reached within `settings.open_timeout_s`.
        """
        config = zenoh.Config.from_json5(session_config(settings, namespace))
        try:
            with anyio.fail_after(settings.open_timeout_s + 1.0):
                session = await anyio.to_thread.run_sync(zenoh.open, config, abandon_on_cancel=True)
        except (zenoh.ZError, TimeoutError) as failure:
            raise BusUnavailable(
                f"no router at {settings.endpoint} within {settings.open_timeout_s:g} s ({failure}); "
                "start one with: python -m emily_bus.router"
            ) from None
        async with AsyncExitStack() as stack:
            stack.callback(session.close)
            tasks = await stack.enter_async_context(anyio.create_task_group())
            bus = cls(session, name, namespace, tasks)
            bus._follow_credit()
            tasks.start_soon(bus._follow_link)
            try:
                yield bus
            finally:
                tasks.cancel_scope.cancel()
                bus._kept.clear()
                bus._lines.clear()

    @property
    def connected(self) -> bool:
        """Whether the link to the router stands (checked ten times a second)."""
        return self._connected

    async def publish[T: Message](self, topic: Topic[T], message: T) -> None:
        """Send a message; on a back-pressure topic, wait for credit first.

        Raises:
            BusCongested: A living subscriber read nothing for 10 seconds.
            ValueError: A field of the key can't stand in a key.
        """
        line = self._line(topic, topic.of(message))
        outlet = line.outlet
        if outlet.exhausted:
            with anyio.move_on_after(CREDIT_TIMEOUT_S) as deadline:
                await outlet.wait()
            if deadline.cancelled_caught:
                raise BusCongested(
                    f"{topic.template}: no credit for {CREDIT_TIMEOUT_S:g} s; its subscriber hangs"
                )
        outlet.sequence += 1
        line.publisher.put(
            self._encoder.encode(message),
            attachment=attachment.encode(self._sender, outlet.sequence, traceparent.get()),
        )

    def subscribe(
        self,
        *topics: AnyTopic,
        overflow: Overflow | None = None,
        buffer: int | None = None,
        on_reject: Callable[[Any], None] | None = None,
    ) -> Subscription:
        """One bounded buffer over the topics, in the order of arrival; use it as an async context.

        Args:
            topics: All of one overflow policy.
            overflow: Another policy than the topics'; an observer that must slow nobody down passes
                `DROP_OLDEST`.
            buffer: Another size than the topics'.
            on_reject: Called on the reader's side with each message that was refused.
        """
        identity = secrets.token_hex(8)
        subscription = Subscription(
            topics,
            overflow=overflow,
            buffer=buffer,
            on_reject=on_reject,
            grant=partial(self._grant, identity),
            complain=self._complain,
        )
        for topic in topics:
            subscriber = self._session.declare_subscriber(
                topic.pattern(), _guarded(subscription.arrived, topic)
            )
            subscription.holds(subscriber.undeclare)
            if (overflow or topic.qos.overflow) is Overflow.BACK_PRESSURE:
                token = self._session.liveliness().declare_token(
                    f"{SUBSCRIPTION}/{slug(topic.template)}/{identity}"
                )
                subscription.holds(token.undeclare)
        return subscription

    @asynccontextmanager
    async def serve[Req: msgspec.Struct, Rep: msgspec.Struct](
        self, asked: Query[Req, Rep], handler: Callable[[Req], Awaitable[Rep]], **fixed: str
    ) -> AsyncIterator[None]:
        """Answer a query for the length of the block; a handler refuses by raising `AskRefused`.

        Args:
            asked: The query.
            handler: At most 32 run at a time; 256 more wait, the rest are refused.
            fixed: Fields of the key that this responder answers for.
        """
        async with query.serving(self._session, self._tasks, asked, handler, asked.pattern(**fixed)):
            yield

    async def ask[Req: msgspec.Struct, Rep: msgspec.Struct](
        self,
        asked: Query[Req, Rep],
        request: Req,
        *,
        timeout: float,  # noqa: ASYNC109
    ) -> Rep:
        """The first answer to a query.

        Raises:
            NoResponder: Nobody serves it.
            AskTimeout: Nobody answered within `timeout` seconds.
            ErrorReply: The responder refused or failed.
        """
        return await query.ask(self._session, asked, request, timeout)

    @asynccontextmanager
    async def alive(self, name: str) -> AsyncIterator[None]:
        """Say by liveliness token that `name` lives, for the length of the block."""
        token = self._session.liveliness().declare_token(f"{presence.ALIVE}/{name}")
        try:
            yield
        finally:
            token.undeclare()  # type: ignore[no-untyped-call]

    @asynccontextmanager
    async def presence(self) -> AsyncIterator[Changes]:
        """Who is alive, then each change: names as `reflex`, from the root space `blue/reflex`."""
        with presence.watching(self._session) as changes:
            yield changes

    def _line(self, topic: AnyTopic, key: str) -> _Line:
        line = self._lines.get((topic, key))
        if line is not None:
            return line
        if len(self._lines) >= MOST_OUTLETS:
            raise BusCongested(
                f"{key}: {MOST_OUTLETS} keys are in use; a field of the key takes too many values"
            )
        qos = topic.qos
        publisher = self._session.declare_publisher(
            key,
            congestion_control=_CONGESTION[qos.congestion],
            priority=_PRIORITY[qos.priority],
            reliability=_RELIABILITY[qos.reliability],
            express=qos.express,
        )
        back_pressure = qos.overflow is Overflow.BACK_PRESSURE
        readers = self._readers(topic) if back_pressure else set()
        line = _Line(publisher, Outlet(qos.buffer, readers))
        self._lines[topic, key] = line
        return line

    def _readers(self, topic: AnyTopic) -> set[str]:
        """Subscriptions that read a topic; followed from the first question on."""
        readers = self._subscribers.get(topic.template)
        if readers is None:
            readers = self._subscribers[topic.template] = set()
            loop = asyncio.get_running_loop()

            def changed(sample: zenoh.Sample) -> None:
                identity = str(sample.key_expr).rpartition("/")[2]
                joined = sample.kind == zenoh.SampleKind.PUT
                loop.call_soon_threadsafe(self._reader_changed, topic.template, identity, joined)

            tokens = f"{SUBSCRIPTION}/{slug(topic.template)}/*"
            self._kept.append(self._session.liveliness().declare_subscriber(tokens, changed, history=True))
        return readers

    def _reader_changed(self, template: str, identity: str, joined: bool) -> None:
        readers = self._subscribers[template]
        if joined == (identity in readers):
            return
        (readers.add if joined else readers.discard)(identity)
        for (topic, _), line in self._lines.items():
            if topic.template == template:
                (line.outlet.join if joined else line.outlet.leave)(identity)

    def _grant(self, identity: str, sender: bytes, key: str, sequence: int) -> None:
        grant = Grant(identity, key, sequence)
        self._session.put(
            f"{CREDIT}/{sender.hex()}",
            self._encoder.encode(grant),
            congestion_control=zenoh.CongestionControl.BLOCK,
            priority=zenoh.Priority.REAL_TIME,
            express=True,
        )

    def _follow_credit(self) -> None:
        loop = asyncio.get_running_loop()
        decoder = msgspec.msgpack.Decoder(Grant)

        def granted(sample: zenoh.Sample) -> None:
            try:
                grant = decoder.decode(sample.payload.to_bytes())
            except msgspec.DecodeError as failure:
                self._complain(CREDIT, type(failure).__name__, str(failure))
                return
            loop.call_soon_threadsafe(self._granted, grant)

        self._kept.append(self._session.declare_subscriber(f"{CREDIT}/{self._sender.hex()}", granted))

    def _granted(self, grant: Grant) -> None:
        for (_, key), line in self._lines.items():
            if key == grant.key:
                line.outlet.grant(grant.subscription, grant.sequence)

    async def _follow_link(self) -> None:
        while True:
            connected = bool(self._session.info.routers_zid())
            if connected and not self._connected:
                for line in self._lines.values():
                    line.outlet.forgive()
            if connected != self._connected:
                _log.warning("the link to the bus router %s", "stands again" if connected else "is lost")
            self._connected = connected
            await anyio.sleep(LINK_POLL_S)

    def _complain(self, template: str, kind: str, detail: str) -> None:
        if (template, kind) not in self._complained:
            self._complained.add((template, kind))
            _log.warning("%s: undecodable, %s (logged once; counted from here on)", template, detail)


def _guarded(
    arrived: Callable[[AnyTopic, zenoh.Sample], None], topic: AnyTopic
) -> Callable[[zenoh.Sample], None]:
    def callback(sample: zenoh.Sample) -> None:
        try:
            arrived(topic, sample)
        except Exception:  # Zenoh would print and forget it
            _log.exception("%s: the callback failed", topic.template)

    return callback
