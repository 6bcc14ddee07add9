"""A subscription: decoded messages of some topics for one reader."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

import zenoh
from emily_contracts import Overflow
from emily_contracts.topic import AnyTopic

from emily_bus import attachment, codec
from emily_bus.buffer import BATCH, Buffer
from emily_bus.credit import Source, credit_for, encode_grant, readers_of
from emily_bus.errors import Undecodable
from emily_bus.link import settled
from emily_bus.refusals import Refusals
from emily_bus.statistics import Statistics
from emily_bus.trace import traceparent

MOST_SOURCES = 1024
WINDOWS = 2
"""Windows a sender may have in the buffer: after a broken link it starts a new one beside the last."""

_log = logging.getLogger("emily_bus")


class _Intake(NamedTuple):
    """One topic of a subscription."""

    topic: AnyTopic
    decoder: codec.Decoder[Any]
    room: int
    sources: dict[bytes, Source]


type _Arrival = tuple[_Intake, Source, int, bytes | Undecodable, str | None]
"""What waits: topic, sender, sequence, payload, traceparent; a refused payload is its reason."""


class Subscription:
    """Messages in the order of arrival; an async context and an async iterator for one reader.

    Zenoh's threads only number and append; decoding and granting credit happen on the reader's side, as late
    as possible, so that the buffer holds bytes and a reader that stops halfway loses nothing.
    """

    def __init__(
        self,
        session: zenoh.Session,
        topics: Sequence[AnyTopic],
        refusals: Refusals,
        *,
        overflow: Overflow | None,
        buffer: int | None,
        on_reject: Callable[[Any], None] | None,
    ) -> None:
        policies = {overflow or topic.qos.overflow for topic in topics}
        if len(policies) != 1:
            raise ValueError(f"topics: {len(policies)} overflow policies, one is needed; pass overflow=")
        if buffer is not None and buffer < 1:
            raise ValueError(f"buffer: {buffer} messages, at least 1 is needed")
        self._session = session
        self._refusals = refusals
        self._on_reject = on_reject
        self._identity = secrets.token_bytes(8)
        self._back_pressure = policies == {Overflow.BACK_PRESSURE}
        self._counts = Statistics()
        self._mutex = threading.Lock()
        self._intakes = [
            _Intake(topic, codec.Decoder(topic.type), buffer or topic.qos.buffer, {}) for topic in topics
        ]
        limit = 0 if self._back_pressure else max(intake.room for intake in self._intakes)
        self._buffer = Buffer[_Arrival](policies.pop(), limit)
        self._declared: list[Any] = []
        for intake in self._intakes:
            self._declare(intake)

    def statistics(self) -> Statistics:
        """Counters until now; `depth` is what waits."""
        counts = self._counts
        counts.dropped, counts.rejected = self._buffer.dropped, self._buffer.rejected
        counts.depth = len(self._buffer)
        return counts

    def close(self) -> None:
        """End: readers stop after what waits."""
        while self._declared:
            self._declared.pop().undeclare()
        self._buffer.close()

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Decoded messages one by one; each sets the trace context of its sender."""
        while await self._buffer.filled():
            if self._buffer.refused:
                self._answer_refused()
            for _ in range(BATCH):
                arrival = self._buffer.take()
                if arrival is None:
                    break
                message = self._read(arrival)
                if message is not None:
                    self._counts.received += 1
                    traceparent.set(arrival[4])
                    yield message

    async def batches(self) -> AsyncIterator[list[Any]]:
        """Decoded messages, as many at a time as wait (at most 256)."""
        while await self._buffer.filled():
            self._answer_refused()
            arrivals = [self._buffer.take() for _ in range(min(len(self._buffer), BATCH))]
            messages = [self._read(arrival) for arrival in arrivals if arrival is not None]
            messages = [message for message in messages if message is not None]
            if messages:
                self._counts.received += len(messages)
                yield messages

    async def __aenter__(self) -> Self:
        """Return when the router knows of the subscription; leaving the block ends it."""
        try:
            await settled(self._session)
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the subscription."""
        self.close()

    def _declare(self, intake: _Intake) -> None:
        # Zenoh gives each subscriber a thread of its own, which would mix up the order of the topics.
        handler = zenoh.handlers.Callback(self._arrival(intake), indirect=len(self._intakes) == 1)
        self._declared.append(self._session.declare_subscriber(intake.topic.pattern(), handler))
        if self._back_pressure:
            token = readers_of(intake.topic.template, self._identity.hex(), intake.room)
            self._declared.append(self._session.liveliness().declare_token(token))

    def _arrival(self, intake: _Intake) -> Callable[[zenoh.Sample], None]:
        """Numbers a sample and appends it; runs on Zenoh's threads."""
        sources, put = intake.sources, self._buffer.put
        head, readable = attachment.decode, codec.readable

        def arrived(sample: zenoh.Sample) -> None:
            try:
                version, sender, sequence, trace = head(sample.attachment)
                source = sources.get(sender) or self._meet(intake, sender)
                if sequence == source.expected:
                    source.expected = sequence + 1
                else:
                    self._count(source.surprise(sequence))
                put((intake, source, sequence, readable(sample.payload, version), trace))
            except Undecodable as failure:
                self._refuse(intake, failure)
            except Exception:  # Zenoh would print and forget it
                _log.exception("%s: the callback failed", intake.topic.template)

        return arrived

    def _meet(self, intake: _Intake, sender: bytes) -> Source:
        with self._mutex:
            sources = intake.sources
            if len(sources) == MOST_SOURCES:
                del sources[next(iter(sources))]
            elif self._back_pressure:
                self._buffer.limit += WINDOWS * intake.room
            source = sources[sender] = Source(intake.topic.template, sender, intake.room)
            return source

    def _count(self, missing: int) -> None:
        with self._mutex:
            if missing < 0:
                self._counts.repeated += 1
            else:
                self._counts.lost += missing

    def _read(self, arrival: _Arrival) -> Any | None:
        intake, source, sequence, payload, _ = arrival
        if self._back_pressure and sequence >= source.due:
            self._grant(source, sequence)
        try:
            message = intake.decoder.decode(payload)
        except Undecodable as failure:
            self._refuse(intake, failure)
            return None
        return message

    def _answer_refused(self) -> None:
        while self._buffer.refused:
            message = self._read(self._buffer.refused.popleft())
            if self._on_reject is not None and message is not None:
                self._on_reject(message)

    def _refuse(self, intake: _Intake, failure: Undecodable) -> None:
        with self._mutex:
            self._counts.undecodable += 1
        self._refusals.note(intake.topic.template, failure.kind, str(failure))

    def _grant(self, source: Source, sequence: int) -> None:
        if not self._declared:  # closed: what waits is still read, and nobody waits for credit
            return
        source.granted(sequence)
        self._session.put(
            credit_for(source.template, source.sender),
            encode_grant(self._identity, sequence),
            congestion_control=zenoh.CongestionControl.BLOCK,
            priority=zenoh.Priority.REAL_TIME,
            express=True,
        )
