"""What is on its way out to the root space, in order, however slowly it is read there."""

from __future__ import annotations

from collections import deque

import anyio
import msgspec
from emily_bus import Bus, BusCongested
from emily_bus.trace import traceparent
from emily_contracts.decision import Decision
from emily_contracts.percept import Percept
from emily_contracts.topics import OUTBOUND_DECISION, OUTBOUND_PERCEPT
from emily_runtime.logs import get_logger

from emily_router.errors import JournalUnwritable
from emily_router.journal import Delivered, Journal

LINK_POLL_S = 0.05

_log = get_logger(__name__)


class _Parcel(msgspec.Struct, frozen=True):
    message: Percept | Decision
    trace: str | None
    on_record: bool


class Outbox:
    """Says answers on the root bus and puts on record that they were said.

    While the link is down or a reader hangs, parcels wait; whoever fills the outbox asks `full` first.

    Args:
        bus: Of the root space.
        journal: Told of each delivered answer.
        capacity: Waiting parcels from which on it is full.
    """

    def __init__(self, bus: Bus, journal: Journal, *, capacity: int) -> None:
        self._bus = bus
        self._journal = journal
        self._capacity = capacity
        self._parcels: deque[_Parcel] = deque()
        self._filled = anyio.Event()
        self._emptied = anyio.Event()

    @property
    def waiting(self) -> int:
        """How many parcels wait."""
        return len(self._parcels)

    @property
    def full(self) -> bool:
        """Whether nothing new should be accepted until something went out."""
        return len(self._parcels) >= self._capacity

    def put(self, message: Percept | Decision, *, on_record: bool = False) -> None:
        """Says a message at once where nothing stands before it, else queues it; in the trace of the task.

        Args:
            on_record: It is an answer in the journal, to be written before it is said; its delivery is
                recorded too.
        """
        if not on_record and not self._parcels and self._bus.connected and self._offer(message):
            return
        self._parcels.append(_Parcel(message, traceparent.get(), on_record))
        self._filled.set()

    async def room(self) -> None:
        """Waits while it is full."""
        while self.full:
            self._emptied = anyio.Event()
            await self._emptied.wait()

    async def run(self) -> None:
        """Publishes what is put in, for ever."""
        while True:
            if not self._parcels:
                self._record()
                self._filled = anyio.Event()
                await self._filled.wait()
            elif not self._bus.connected:
                await anyio.sleep(LINK_POLL_S)
            else:
                await self._publish_first()

    async def _publish_first(self) -> None:
        parcel = self._parcels[0]
        self._record()
        traceparent.set(parcel.trace)
        try:
            if isinstance(parcel.message, Decision):
                await self._bus.publish(OUTBOUND_DECISION, parcel.message)
            else:
                await self._bus.publish(OUTBOUND_PERCEPT, parcel.message)
        except BusCongested as congestion:
            _log.warning("answers wait", reason=str(congestion), waiting=len(self._parcels))
            return
        self._parcels.popleft()
        self._emptied.set()
        if parcel.on_record:
            # A delivery that does not get on record is repeated after a restart: same decision, same id.
            self._journal.defer(Delivered(stimulus_id=parcel.message.stimulus_id))

    def _offer(self, message: Percept | Decision) -> bool:
        if isinstance(message, Decision):
            return self._bus.offer(OUTBOUND_DECISION, message)
        return self._bus.offer(OUTBOUND_PERCEPT, message)

    def _record(self) -> None:
        """An answer is on record before it is said."""
        try:
            self._journal.flush()
        except JournalUnwritable as error:
            _log.warning("answers not on record", reason=str(error))
