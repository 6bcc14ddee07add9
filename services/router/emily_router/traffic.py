"""The way of a stimulus through the router: in, to its colour, and one answer out."""

from __future__ import annotations

import time
from uuid import UUID

import anyio
import msgspec
from emily_bus import Bus, BusCongested, Subscription
from emily_bus.trace import traceparent
from emily_contracts.decision import Decision
from emily_contracts.outcome import Outcome
from emily_contracts.stimulus import Stimulus
from emily_contracts.topic import Query
from emily_runtime.logs import get_logger
from emily_runtime.traces import Tracer

from emily_router.answers import failed
from emily_router.colours import Colours
from emily_router.errors import (
    Disconnected,
    GateFull,
    JournalUnwritable,
    KeyReused,
    Overloaded,
    RouterError,
    Unacceptable,
)
from emily_router.journal import Accepted, Answered, Journal, Recovery
from emily_router.ledger import Admission, Ledger, Owed
from emily_router.metrics import Metrics
from emily_router.outbox import Outbox
from emily_router.routing.switchboard import Switchboard
from emily_router.settings import RouterSettings
from emily_router.stream import Stream
from emily_router.variants import Variants

TICK_S = 0.01
RETRY_AFTER_S = 1

_log = get_logger(__name__)
_encode = msgspec.msgpack.encode


class _Waiter:
    """Whoever waits for one answer over HTTP."""

    def __init__(self) -> None:
        self.answered = anyio.Event()
        self.decision: Decision | None = None


class Traffic:
    """Accepts, forwards and answers.

    Attributes:
        colours: How they are.
        outbox: What is on its way out.
        stream: What watchers see.
    """

    def __init__(
        self,
        settings: RouterSettings,
        *,
        root: Bus,
        board: Switchboard,
        ledger: Ledger,
        journal: Journal,
        metrics: Metrics,
        tracer: Tracer,
        variants: Variants,
    ) -> None:
        self.colours = Colours(board, ledger)
        self.outbox = Outbox(root, journal, capacity=2 * settings.in_flight)
        self.stream = Stream(watchers=settings.watchers, capacity=settings.watcher_buffer)
        self._settings = settings
        self._board = board
        self._ledger = ledger
        self._journal = journal
        self._metrics = metrics
        self._tracer = tracer
        self._variants = variants
        self._waiters: dict[UUID, _Waiter] = {}

    @property
    def in_flight(self) -> int:
        """How many answers are owed."""
        return self._ledger.in_flight

    async def submit(self, stimulus: Stimulus, *, digest: bytes | None = None) -> Decision:
        """The answer to a stimulus, within its deadline.

        Args:
            digest: Of what is asked, when a repetition of the id must ask the same.

        Raises:
            Unacceptable: No mind here can read it; the message names the field.
            KeyReused: The first stimulus of this id had another digest.
            Overloaded: Too many are in flight.
            JournalUnwritable: It could not be put on record.
            Disconnected: The link to the bus is down.
        """
        stimulus = self._variants.stamped(stimulus)
        try:
            admission = self._admit(stimulus, digest)
        except RouterError as refusal:
            self._count_refusal(refusal)
            raise
        answer = self._ledger.answer(stimulus.id, now=time.monotonic())
        if answer is not None:
            return answer
        waiter = self._waiters.setdefault(stimulus.id, _Waiter())
        if admission is Admission.ACCEPTED:
            await self._forward(stimulus)
        await waiter.answered.wait()
        assert waiter.decision is not None  # noqa: S101
        return waiter.decision

    async def ask[Req: msgspec.Struct, Rep: msgspec.Struct](
        self, query: Query[Req, Rep], request: Req, *, timeout_s: float
    ) -> Rep:
        """What the active colour replies.

        Raises:
            AskError: Nobody did, or not in time, or it was refused.
        """
        return await self._board.lanes[self._board.table.active].bus.ask(query, request, timeout=timeout_s)

    async def take_in(self, arrivals: Subscription) -> None:
        """Accepts, replays or refuses each stimulus from the bus; passes outcomes on."""
        async for arrival in arrivals:
            if isinstance(arrival, Outcome):
                await self._pass_on(arrival)
            else:
                await self._take(arrival)

    def overflowed(self, arrival: Stimulus | Outcome) -> None:
        """Refuses what did not fit into the buffer of the ingress."""
        if isinstance(arrival, Stimulus):
            self._refuse(arrival, Overloaded(self._settings.in_flight, RETRY_AFTER_S))
        else:
            self._metrics.rejected.labels("outcome").inc()

    async def hear(self, colour: str, events: Subscription) -> None:
        """Passes on what a colour says of stimuli that it owes an answer, and compares what a shadow says."""
        async for event in events:
            if isinstance(event, Decision):
                self._weigh(event, colour)
            elif event.outcome is None and self._ledger.hear(event, colour=colour):
                self.stream.publish("percept", event)
                self.outbox.put(event)

    async def keep_time(self) -> None:
        """Forwards again after silence, and answers what ran out of time."""
        async with anyio.create_task_group() as forwards:
            while True:
                await anyio.sleep(TICK_S)
                due = self._ledger.due(now=time.monotonic(), absent=self.colours.all_absent())
                for decision in due.answers:
                    self._conclude(decision)
                for owed in due.forward_again:
                    self._metrics.forwarded_twice.inc()
                    forwards.start_soon(self._forward_again, owed)
                self._metrics.in_flight.set(self.in_flight)
                self._metrics.admitted.set(self._ledger.admitted)

    async def resume(self, recovery: Recovery) -> None:
        """Takes up what an earlier run left: says, forwards or reports failed, each once."""
        past = time.time() - time.monotonic()
        for answer in recovery.answered:
            self._ledger.remember(answer.stimulus_id, answer.decision, now=answer.at - past)
        for answer in recovery.undelivered:
            self.outbox.put(msgspec.msgpack.decode(answer.decision, type=Decision), on_record=True)
        for accepted in recovery.owed:
            colour = self._board.colour_of(accepted.stimulus.subject)
            owed = Owed(stimulus=accepted.stimulus, colour=colour, accepted_at=accepted.at - past)
            self._ledger.restore(owed)
            if owed.elapsed(time.monotonic()) < 1:
                await self._forward(accepted.stimulus)
            else:
                self._settle(failed(accepted.stimulus, "the router restarted and the deadline is over"))

    async def _take(self, stimulus: Stimulus) -> None:
        stimulus = self._variants.stamped(stimulus)
        try:
            admission = self._admit(stimulus)
        except RouterError as refusal:
            with anyio.move_on_after(stimulus.deadline_ms / 1000):
                await self.outbox.room()
            self._refuse(stimulus, refusal)
            return
        if admission is Admission.ACCEPTED:
            await self._forward(stimulus)
        elif admission is Admission.ANSWERED and not self.outbox.full:
            answer = self._ledger.answer(stimulus.id, now=time.monotonic())
            if answer is not None:
                self.outbox.put(answer)

    def _admit(self, stimulus: Stimulus, digest: bytes | None = None) -> Admission:
        self._require_acceptable(stimulus)
        colour = self._board.colour_of(stimulus.subject)
        admission = self._ledger.admit(stimulus, colour=colour, now=time.monotonic(), digest=digest)
        match admission:
            case Admission.ACCEPTED:
                self._put_on_record(stimulus, colour)
                self._variants.expose(stimulus)
                self._metrics.accepted.inc()
            case Admission.PENDING:
                self._metrics.repeated.inc()
            case Admission.ANSWERED:
                self._metrics.replayed.inc()
            case Admission.DIFFERENT:
                raise KeyReused(
                    "Idempotency-Key: it came with another body before; send the first body again, "
                    "or a new key for a new stimulus"
                )
            case Admission.FULL:
                raise Overloaded(self.in_flight, RETRY_AFTER_S)
        return admission

    def _put_on_record(self, stimulus: Stimulus, colour: str) -> None:
        try:
            if self.outbox.full:
                raise Overloaded(self.outbox.waiting, RETRY_AFTER_S)
            if not self._board.lanes[colour].bus.connected:
                raise Disconnected("the link to the bus is down; retry when it stands again")
            self._journal.append([Accepted(at=time.time(), colour=colour, stimulus=stimulus)])
        except RouterError:
            self._ledger.withdraw(stimulus.id)
            raise

    def _record(self) -> None:
        """An answer is on record before it is given."""
        try:
            self._journal.flush()
        except JournalUnwritable as error:
            _log.warning("answers not on record", reason=str(error))

    def _require_acceptable(self, stimulus: Stimulus) -> None:
        if stimulus.stimulus_id != stimulus.id:
            raise Unacceptable(f"stimulus_id: {stimulus.stimulus_id} is not the id {stimulus.id}")
        if stimulus.modality not in self._settings.modalities:
            known = ", ".join(self._settings.modalities)
            raise Unacceptable(f"modality: {stimulus.modality!r} is not known; known are {known}")

    def _refuse(self, stimulus: Stimulus, refusal: RouterError) -> None:
        """Answers what was not accepted, unless it repeats something that was."""
        if self._ledger.knows(stimulus.id, now=time.monotonic()):
            self._metrics.repeated.inc()
            return
        self._count_refusal(refusal)
        if not self.outbox.full:
            self.outbox.put(failed(stimulus, str(refusal)))

    def _count_refusal(self, refusal: RouterError) -> None:
        self._metrics.rejected.labels(type(refusal).__name__.lower()).inc()

    async def _forward_again(self, owed: Owed) -> None:
        traceparent.set(owed.trace)
        await self._forward(owed.stimulus)

    async def _forward(self, stimulus: Stimulus) -> None:
        span = self._tracer.span("router forwards", stimulus_id=str(stimulus.id))
        with span, anyio.move_on_after(stimulus.deadline_ms / 1000):
            self._ledger.trace(stimulus.id, traceparent.get())
            try:
                await self._board.send(stimulus)
            except (BusCongested, GateFull) as congestion:
                _log.warning("not forwarded", stimulus_id=str(stimulus.id), reason=str(congestion))

    async def _pass_on(self, outcome: Outcome) -> None:
        try:
            await self._board.send(outcome)
        except (BusCongested, GateFull) as congestion:
            self._metrics.rejected.labels("outcome").inc()
            _log.warning("outcome lost", stimulus_id=str(outcome.stimulus_id), reason=str(congestion))

    def _weigh(self, decision: Decision, colour: str) -> None:
        """An answer counts from the colour that owes it; that of a shadow is only compared."""
        owing, comparison = self._ledger.owing(decision.stimulus_id), self._board.comparison
        if colour == owing:
            if comparison is not None and colour == self._board.table.active:
                comparison.given(decision)
            self._settle(decision)
        elif comparison is not None and colour == comparison.shadow:
            comparison.withheld(decision)
        elif owing is None:
            self._metrics.late.inc()
        else:
            self._metrics.misrouted.inc()

    def _settle(self, decision: Decision) -> None:
        now = time.monotonic()
        owed = self._ledger.settle(decision, now=now)
        if owed is None:
            self._metrics.late.inc()
            return
        self._metrics.latency.observe(now - owed.accepted_at)
        self._conclude(decision)

    def _conclude(self, decision: Decision) -> None:
        self._journal.defer(
            Answered(at=time.time(), stimulus_id=decision.stimulus_id, decision=_encode(decision))
        )
        self._metrics.answered.labels(decision.status.value).inc()
        waiter = self._waiters.pop(decision.stimulus_id, None)
        if waiter is not None:
            self._record()
            waiter.decision = decision
            waiter.answered.set()
        self.stream.publish("decision", decision)
        self.outbox.put(decision, on_record=True)
