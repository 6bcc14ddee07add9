"""The loop of a mind: hear, step, say, and remember on disk."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from emily_bus import AskRefused, BusCongested
from emily_contracts.topic import AnyTopic

from emily_runtime.checkpoint import encode_state, read_checkpoint, write_atomically
from emily_runtime.errors import CheckpointError, Refused
from emily_runtime.life import Life
from emily_runtime.logs import get_logger
from emily_runtime.metrics import GaugeCollector, StepMetrics
from emily_runtime.mind import Mind
from emily_runtime.traces import Tracer

SUBSCRIPTIONS = "subscriptions"

_log = get_logger(__name__)


def checkpoint_path(state_dir: Path, namespace: str, name: str) -> Path:
    """Where a mind's checkpoint lies."""
    return state_dir / "checkpoints" / namespace / f"{name}.ckpt"


class Thinking:
    """A mind that lives."""

    def __init__(self, mind: Mind[Any, Any], life: Life, tracer: Tracer) -> None:
        self._mind = mind
        self._life = life
        self._tracer = tracer
        self._metrics = StepMetrics(life)
        self._path = checkpoint_path(life.settings.state_dir, life.settings.namespace, mind.name)
        self._topics: dict[type, AnyTopic] = {topic.type: topic for topic in mind.hears}
        self._failures: set[str] = set()
        self._state = self._remembered()
        self._written = self._state
        life.registry.register(GaugeCollector(mind.gauges, lambda: mind.observe(self._state)))

    async def run(self) -> None:
        """Think until the life stops and everything heard is handled."""
        async with AsyncExitStack() as stack:
            tasks = await stack.enter_async_context(anyio.create_task_group())
            for query, answer in self._mind.answers().items():
                await stack.enter_async_context(self._life.bus.serve(query, partial(self._answer, answer)))
            events = self._life.observe(
                await stack.enter_async_context(self._life.bus.subscribe(*self._mind.hears))
            )
            tasks.start_soon(self._keep_checkpoints)
            tasks.start_soon(self._close_when_stopping, events.close)
            self._life.ready(SUBSCRIPTIONS)
            async for event in events:
                await self._handle(event)
            await self._checkpoint()
            tasks.cancel_scope.cancel()

    async def _handle(self, event: Any) -> None:
        topic = self._topics[type(event)]
        with self._tracer.span(f"{self._mind.name} {topic.template}", stimulus_id=str(event.stimulus_id)):
            started = time.perf_counter()
            try:
                self._state, emissions = self._mind.step(self._state, event)
            except Refused as refusal:
                self._refuse(topic, str(refusal))
                return
            except Exception as failure:
                self._fail(topic, failure)
                return
            self._metrics.step_seconds.observe(time.perf_counter() - started)
            for emission in emissions:
                await self._say(emission.topic, emission.message)
        self._life.handled += 1
        self._metrics.events.labels(topic.template, "handled").inc()
        self._metrics.age_seconds.observe((datetime.now(UTC) - event.at).total_seconds())

    async def _say(self, topic: AnyTopic, message: Any) -> None:
        while True:
            try:
                await self._life.bus.publish(topic, message)
            except BusCongested as congestion:
                _log.warning("congested", detail=str(congestion))
                if self._life.stopping.is_set():
                    return
            else:
                return

    def _refuse(self, topic: AnyTopic, reason: str) -> None:
        self._metrics.events.labels(topic.template, "refused").inc()
        _log.warning("refused", topic=topic.template, reason=reason)

    def _fail(self, topic: AnyTopic, failure: Exception) -> None:
        self._metrics.events.labels(topic.template, "failed").inc()
        kind = f"{topic.template} {type(failure).__name__}"
        if kind not in self._failures:
            self._failures.add(kind)
            _log.error("step failed; the state stays as it was", topic=topic.template, exc_info=failure)

    async def _answer(self, answer: Callable[[Any, Any], Any], request: Any) -> Any:
        try:
            return answer(self._state, request)
        except Refused as refusal:
            raise AskRefused(str(refusal)) from None

    async def _close_when_stopping(self, close: Callable[[], None]) -> None:
        await self._life.stopping.wait()
        close()

    async def _keep_checkpoints(self) -> None:
        while True:
            await anyio.sleep(self._life.settings.checkpoint_interval_s)
            await self._checkpoint()

    async def _checkpoint(self) -> None:
        if self._state is self._written:
            return
        state = self._state
        data = encode_state(state, name=self._mind.name, version=self._mind.state_version)
        await anyio.to_thread.run_sync(write_atomically, self._path, data)
        self._written = state
        self._metrics.checkpoint_bytes.set(len(data))
        self._metrics.checkpoint_time.set_to_current_time()

    def _remembered(self) -> Any:
        mind = self._mind
        try:
            state = read_checkpoint(self._path, mind.state_type, name=mind.name, version=mind.state_version)
        except CheckpointError as failure:
            self._life.cold_start = str(failure)
            _log.warning(
                "checkpoint refused, starting from nothing", path=str(self._path), reason=str(failure)
            )
            state = None
        return mind.initial() if state is None else state
