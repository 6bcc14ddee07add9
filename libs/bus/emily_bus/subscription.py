"""A bounded buffer between Zenoh's threads and one reader."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Any, Self

import msgspec
import zenoh
from emily_contracts import Message, Overflow
from emily_contracts.topic import AnyTopic

from emily_bus import attachment
from emily_bus.attachment import Attachment
from emily_bus.credit import Ledger
from emily_bus.errors import Undecodable
from emily_bus.statistics import Statistics
from emily_bus.trace import traceparent

BATCH = 256
LARGEST_PAYLOAD = 4 * 1024 * 1024
CONCURRENT_PUBLISHERS = 8
"""How many publishers may fill their whole window at once before the hard bound drops."""

Grants = Callable[[bytes, str, int], None]
Complaint = Callable[[str, str, str], None]


class Subscription:
    """Messages of some topics in the order of arrival; an async iterator with one reader.

    A callback of Zenoh's thread only appends and wakes the reader once per batch. Decoding, counting and
    granting credit happen on the reader's side.
    """

    def __init__(
        self,
        topics: Sequence[AnyTopic],
        *,
        overflow: Overflow | None,
        buffer: int | None,
        on_reject: Callable[[Any], None] | None,
        grant: Grants,
        complain: Complaint,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._overflow = overflow or topics[0].qos.overflow
        size = buffer or max(topic.qos.buffer for topic in topics)
        self._limit = size * CONCURRENT_PUBLISHERS if self._overflow is Overflow.BACK_PRESSURE else size
        self._ledger = Ledger(max(1, min(topic.qos.buffer for topic in topics) // 4))
        self._grants_credit = self._overflow is Overflow.BACK_PRESSURE
        self._decoders = {topic: msgspec.msgpack.Decoder(topic.type) for topic in topics}
        self._on_reject = on_reject
        self._grant = grant
        self._complain = complain
        self._waiting: deque[tuple[AnyTopic, zenoh.Sample]] = deque()
        self._refused: deque[tuple[AnyTopic, zenoh.Sample]] = deque(maxlen=size)
        self._counts = Statistics()
        self._mutex = threading.Lock()
        self._wake = asyncio.Event()
        self._woken = False
        self._closed = False
        self._undeclare: list[Callable[[], None]] = []

    def statistics(self) -> Statistics:
        """Counters until now; `depth` is what waits."""
        self._counts.depth = len(self._waiting)
        return self._counts

    def arrived(self, topic: AnyTopic, sample: zenoh.Sample) -> None:
        """Take a sample in; called on Zenoh's threads, never blocks."""
        with self._mutex:
            if len(self._waiting) >= self._limit:
                if self._overflow is Overflow.REJECT:
                    self._counts.rejected += 1
                    self._refused.append((topic, sample))
                else:
                    self._counts.dropped += 1
                    self._waiting.popleft()
                    self._waiting.append((topic, sample))
            else:
                self._waiting.append((topic, sample))
            if self._woken or self._closed:
                return
            self._woken = True
        self._loop.call_soon_threadsafe(self._wake.set)

    def holds(self, undeclare: Callable[[], None]) -> None:
        """Keep what must be undeclared when the subscription ends."""
        self._undeclare.append(undeclare)

    def close(self) -> None:
        """End: readers stop after what waits."""
        for undeclare in self._undeclare:
            undeclare()
        self._undeclare.clear()
        with self._mutex:
            self._closed = True
        self._wake.set()

    async def batches(self) -> AsyncIterator[list[Any]]:
        """Decoded messages, as many at a time as wait (at most 256)."""
        while (batch := await self._next_batch()) is not None:
            messages = [message for message, _ in batch]
            if messages:
                yield messages

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Decoded messages one by one; each sets the trace context of its sender."""
        while (batch := await self._next_batch()) is not None:
            for message, trace in batch:
                traceparent.set(trace)
                yield message

    async def _next_batch(self) -> list[tuple[Message, str | None]] | None:
        if self._waiting or self._refused:
            await asyncio.sleep(0)
        while not self._waiting and not self._refused:
            if self._closed:
                return None
            with self._mutex:
                if self._waiting or self._refused:
                    continue
                self._woken = False
                self._wake.clear()
            await self._wake.wait()
        self._answer_refused()
        batch = []
        for _ in range(min(len(self._waiting), BATCH)):
            with self._mutex:
                if not self._waiting:
                    break
                topic, sample = self._waiting.popleft()
            read = self._read(topic, sample)
            if read is not None:
                batch.append(read)
        return batch

    def _answer_refused(self) -> None:
        while self._refused:
            topic, sample = self._refused.popleft()
            read = self._read(topic, sample)
            if read is not None and self._on_reject is not None:
                self._on_reject(read[0])

    def _read(self, topic: AnyTopic, sample: zenoh.Sample) -> tuple[Message, str | None] | None:
        try:
            beside = self._beside(sample)
            payload = sample.payload.to_bytes()
            _require_readable_size(payload)
            self._count(topic, sample, beside)
            message: Message = self._decoders[topic].decode(payload)
        except Undecodable as failure:
            self._complaint(topic, failure.kind, str(failure))
            return None
        except (msgspec.DecodeError, UnicodeDecodeError) as failure:
            self._complaint(topic, type(failure).__name__, str(failure))
            return None
        self._counts.received += 1
        return message, beside.traceparent

    def _beside(self, sample: zenoh.Sample) -> Attachment:
        data = sample.attachment
        if data is None:
            raise Undecodable("attachment", "none was sent, so the schema version is unknown")
        return attachment.decode(data.to_bytes())

    def _count(self, topic: AnyTopic, sample: zenoh.Sample, beside: Attachment) -> None:
        key = str(sample.key_expr)
        missing, due = self._ledger.note(beside.sender, key, beside.sequence)
        if missing < 0:
            self._counts.repeated += 1
        else:
            self._counts.lost += missing
        if due and self._grants_credit:
            self._grant(beside.sender, key, beside.sequence)

    def _complaint(self, topic: AnyTopic, kind: str, detail: str) -> None:
        self._counts.undecodable += 1
        self._complain(topic.template, kind, detail)

    async def __aenter__(self) -> Self:
        """The subscription stands already; leaving the block ends it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the subscription."""
        self.close()


def _require_readable_size(payload: bytes) -> None:
    if len(payload) > LARGEST_PAYLOAD:
        raise Undecodable("size", f"{len(payload)} bytes, at most {LARGEST_PAYLOAD} are read")
