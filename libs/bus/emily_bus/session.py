"""A session on the bus: publish, subscribe, serve, ask, and who is alive."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Self
from weakref import WeakSet

import msgspec
import zenoh
from emily_contracts import Message, Overflow, Query, Topic
from emily_contracts.topic import AnyTopic

from emily_bus import presence, query
from emily_bus.link import Link, opened
from emily_bus.presence import Changes
from emily_bus.publisher import Publisher
from emily_bus.refusals import Refusals
from emily_bus.settings import BusSettings
from emily_bus.subscription import Subscription


class Bus:
    """An open session in one namespace. Made by `Bus.open`.

    Attributes:
        name: Who speaks, for logs and liveliness.
        namespace: Under which all keys lie.
        refusals: What this session could not read.
    """

    def __init__(self, session: zenoh.Session, settings: BusSettings, *, namespace: str, name: str) -> None:
        self.name = name
        self.namespace = namespace
        self.refusals = Refusals()
        self._session = session
        self._settings = settings
        self._link = Link(session)
        self._sender = secrets.token_bytes(8)
        self._subscriptions: WeakSet[Subscription] = WeakSet()
        self._publishers: dict[AnyTopic, Publisher] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: BusSettings, *, namespace: str, name: str) -> AsyncIterator[Self]:
        """A connected session for the length of the block; its end ends every subscription.

        Raises:
            BusUnavailable: No session opened within `settings.open_timeout_s`; the message says why.
        """
        async with opened(settings, namespace) as session:
            bus = cls(session, settings, namespace=namespace, name=name)
            try:
                yield bus
            finally:
                for subscription in bus._subscriptions:
                    subscription.close()

    @property
    def connected(self) -> bool:
        """Whether the link to the router stands; Zenoh reconnects by itself."""
        return self._link.up

    async def publish[T: Message](self, topic: Topic[T], message: T) -> None:
        """Send a message; does not suspend unless it must wait.

        On a back-pressure topic it waits while the link is down or a subscriber's buffer may be full.

        Raises:
            BusCongested: It had to wait longer than `settings.publish_timeout_s`.
            ValueError: A field of the key can't stand in a key.
        """
        publisher = self._publisher(topic)
        if publisher.must_wait:
            await publisher.wait()
        publisher.send(message)

    def offer[T: Message](self, topic: Topic[T], message: T) -> bool:
        """Send a message unless it must wait; false: nothing was sent.

        Raises:
            ValueError: A field of the key can't stand in a key.
        """
        publisher = self._publisher(topic)
        if publisher.must_wait:
            return False
        publisher.send(message)
        return True

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

        Raises:
            ValueError: The topics differ in overflow policy, or `buffer` is below 1.
        """
        subscription = Subscription(
            self._session, topics, self.refusals, overflow=overflow, buffer=buffer, on_reject=on_reject
        )
        self._subscriptions.add(subscription)
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

        Leaving the block waits for the questions that were taken in; cancellation drops them.
        """
        service = query.Service(asked, handler, self.refusals)
        async with service.serving(self._session, asked.pattern(**fixed)):
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

    async def living(self) -> frozenset[str]:
        """Who is alive now, named as by `presence`; a session of its own asks.

        Raises:
            BusUnavailable: The router does not tell.
        """
        async with opened(self._settings, self.namespace) as session:
            return await presence.living(session)

    def _publisher(self, topic: AnyTopic) -> Publisher:
        publisher = self._publishers.get(topic)
        if publisher is None:
            publisher = Publisher(
                self._session, self._link, topic, self._sender, self._settings.publish_timeout_s
            )
            self._publishers[topic] = publisher
        return publisher
