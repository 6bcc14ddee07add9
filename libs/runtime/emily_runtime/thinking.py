"""The loop of a mind: hear, step, say, and remember on disk."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
from emily_bus import AskError, AskRefused, BusCongested, Subscription
from emily_contracts import Barrier
from emily_contracts.topic import AnyTopic

from emily_runtime.checkpointing import Checkpointing
from emily_runtime.errors import Refused
from emily_runtime.handover import Handover
from emily_runtime.life import Life
from emily_runtime.logs import get_logger
from emily_runtime.metrics import GaugeCollector, StepMetrics
from emily_runtime.mind import Emission, Mind, Question

SUBSCRIPTIONS = "subscriptions"
BREATH_S = 0.01
"""How long steps may follow each other before other tasks get their turn."""
CONGESTED_PAUSE_S = 0.5
REFUSALS_LOGGED_EVERY_S = 1.0
UNASKED_S = 1.0
"""How long nobody is asked after a question found no answer: thinking goes on without."""

_log = get_logger(__name__)


class Thinking:
    """A mind that lives."""

    def __init__(self, mind: Mind[Any, Any], life: Life) -> None:
        self._mind = mind
        self._life = life
        self._checkpoint = Checkpointing(mind, life)
        self._state = self._checkpoint.kept
        self._metrics = StepMetrics(life.registry, mind.hears)
        self._topics: dict[type, AnyTopic] = {topic.type: topic for topic in mind.hears}
        self._spans = {topic: f"{mind.name} {topic.template}" for topic in mind.hears}
        self._failures: set[tuple[AnyTopic, type[Exception]]] = set()
        self._unlogged = 0
        self._refusal_logged = -REFUSALS_LOGGED_EVERY_S
        self._unasked_until = 0.0
        self._turn = anyio.Lock(fast_acquire=True)
        self._handover = Handover(mind, life, self._change)
        life.registry.register(GaugeCollector(mind.gauges, lambda: mind.observe(self._state)))

    async def run(self) -> None:
        """Think until the life stops and everything heard is handled; what was lived through is kept."""
        async with AsyncExitStack() as stack:
            for query, answer in self._mind.answers().items():
                await stack.enter_async_context(self._life.bus.serve(query, partial(self._answer, answer)))
            for query, exchange in self._mind.exchanges().items():
                await stack.enter_async_context(
                    self._life.bus.serve(query, partial(self._exchange, exchange))
                )
            if self._mind.barrier is not None:
                await stack.enter_async_context(self._handover.served())
            events = await stack.enter_async_context(self._life.bus.subscribe(*self._heard()))
            self._life.observe(events)
            await self._ask_first()
            try:
                await self._think(events)
            finally:
                self._handover.close()
                with anyio.CancelScope(shield=True):
                    await self._checkpoint.keep(lambda: self._state)

    def _heard(self) -> tuple[AnyTopic, ...]:
        """Events, and in one order with them the barrier."""
        barrier = self._mind.barrier
        return self._mind.hears if barrier is None else (*self._mind.hears, barrier)

    async def _ask_first(self) -> None:
        """Begin with what somebody tells; where nobody does, with what is remembered."""
        question = self._mind.asks_first
        if question is None:
            return
        try:
            answer = await self._life.bus.ask(question.query, question.request, timeout=question.timeout_s)
        except AskError as failure:
            _log.info("begins without an answer", query=question.query.template, reason=str(failure))
        else:
            async with self._turn:
                for emission in self._step(answer):
                    await self._say(emission)

    async def _think(self, events: Subscription) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._checkpoint.keep_up, lambda: self._state)
            tasks.start_soon(self._close_when_stopping, events)
            self._life.ready(SUBSCRIPTIONS)
            breath = time.perf_counter()
            async for event in events:
                async with self._turn:
                    if isinstance(event, Barrier):
                        await self._mark(event)
                    else:
                        await self._handle(event, events)
                if time.perf_counter() - breath > BREATH_S:
                    await anyio.lowlevel.checkpoint()
                    breath = time.perf_counter()
            tasks.cancel_scope.cancel()

    async def _mark(self, barrier: Barrier) -> None:
        """Record what is remembered here, and pass the barrier on behind what was said."""
        self._handover.record(barrier, self._state)
        if self._mind.passes_barrier is not None:
            await self._say(Emission(self._mind.passes_barrier, barrier))

    async def _change(self, changed: Callable[[Any], Any]) -> None:
        """Change what is remembered between two events, and keep it."""
        async with self._turn:
            self._state = changed(self._state)
        await self._checkpoint.try_to_keep(lambda: self._state)

    async def _handle(self, event: Any, events: Subscription) -> None:
        topic = self._topics[type(event)]
        metrics = self._metrics.topics[topic]
        with self._life.tracer.span(self._spans[topic], stimulus_id=event.stimulus_id):
            try:
                await self._wonder(event, events)
                emissions = self._step(event)
                for emission in emissions:
                    await self._say(emission)
            except Refused as refusal:
                metrics.refused.inc()
                self._log_refusal(topic, refusal)
            except Exception as failure:
                metrics.failed.inc()
                self._log_failure(topic, failure)
            else:
                self._life.handled += 1
                metrics.handled.inc()
        self._metrics.age_seconds.observe((datetime.now(UTC) - event.at).total_seconds())

    async def _wonder(self, event: Any, events: Subscription) -> None:
        question = self._mind.wonders(self._state, event)
        if question is not None:
            self._state = self._mind.told(self._state, event, await self._ask(question, events))

    async def _ask(self, question: Question, events: Subscription) -> Any:
        """The answer; none when nobody gives it. While other events wait, nobody is asked."""
        if events.statistics().depth or time.monotonic() < self._unasked_until:
            self._metrics.asked.labels("not asked").inc()
            return None
        with self._metrics.ask_seconds.time():
            try:
                answer = await self._life.bus.ask(
                    question.query, question.request, timeout=question.timeout_s
                )
            except AskError as failure:
                self._metrics.asked.labels("unanswered").inc()
                self._unasked_until = time.monotonic() + UNASKED_S
                _log.debug("thinks without an answer", reason=str(failure))
                return None
        self._metrics.asked.labels("answered").inc()
        return answer

    def _step(self, event: Any) -> tuple[Emission, ...]:
        started = time.perf_counter()
        self._state, emissions = self._mind.step(self._state, event)
        self._metrics.step_seconds.observe(time.perf_counter() - started)
        return emissions

    async def _say(self, emission: Emission) -> None:
        while True:
            try:
                await self._life.bus.publish(emission.topic, emission.message)
            except BusCongested as congestion:
                _log.warning("congested, waits", reason=str(congestion))
                await anyio.sleep(CONGESTED_PAUSE_S)
            else:
                return

    def _log_refusal(self, topic: AnyTopic, refusal: Refused) -> None:
        now = time.monotonic()
        if now - self._refusal_logged < REFUSALS_LOGGED_EVERY_S:
            self._unlogged += 1
            return
        _log.warning("refused", topic=topic.template, reason=str(refusal), unlogged=self._unlogged)
        self._refusal_logged, self._unlogged = now, 0

    def _log_failure(self, topic: AnyTopic, failure: Exception) -> None:
        kind = (topic, type(failure))
        if kind not in self._failures:
            self._failures.add(kind)
            _log.error(
                "event failed; more of this kind are only counted", topic=topic.template, exc_info=failure
            )

    async def _answer(self, answer: Callable[[Any, Any], Any], request: Any) -> Any:
        try:
            return answer(self._state, request)
        except Refused as refusal:
            raise AskRefused(str(refusal)) from None

    async def _exchange(self, exchange: Callable[[Any, Any], tuple[Any, Any]], request: Any) -> Any:
        async with self._turn:
            try:
                self._state, reply = exchange(self._state, request)
            except Refused as refusal:
                raise AskRefused(str(refusal)) from None
        return reply

    async def _close_when_stopping(self, events: Subscription) -> None:
        await self._life.stopping.wait()
        events.close()
