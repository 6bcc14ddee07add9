"""How a mind moves: what it remembers at a barrier is told, and what another one remembered is taken over."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import anyio
import anyio.to_thread
from emily_bus import AskRefused
from emily_contracts import Adopted, Adoption, Barrier, StateRequest, StateSnapshot, bucket
from emily_contracts.topics import ADOPT, STATE

from emily_runtime.checkpoint import decode_state, encode_state
from emily_runtime.errors import CheckpointError, NoMigration, Refused
from emily_runtime.life import Life
from emily_runtime.logs import get_logger
from emily_runtime.metrics import AdoptionMetrics
from emily_runtime.mind import Mind

KEPT = 4
"""Recorded states that are kept; the one recorded first makes room."""
LONGEST_WAIT_S = 5.0
"""How long a question about a state waits for its barrier, unless its asker gives up before."""

_log = get_logger(__name__)

type Change = Callable[[Callable[[Any], Any]], Awaitable[None]]
"""Changes what a mind remembers between two of its events, and keeps it on disk."""


class Handover:
    """The recorded states of one mind, and its adoptions.

    A state is a value that nobody changes, so that recording one costs nothing; it is encoded when it is
    asked for.
    """

    def __init__(self, mind: Mind[Any, Any], life: Life, change: Change) -> None:
        self._mind = mind
        self._life = life
        self._change = change
        self._recorded: dict[UUID, Any] = {}
        self._news = anyio.Event()
        self._closed = False
        self._metrics = AdoptionMetrics(life.registry)

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """Answer questions for states, and adopt, for the length of the block."""
        bus, name = self._life.bus, self._mind.name
        async with bus.serve(STATE, self.tell, service=name), bus.serve(ADOPT, self.adopt, service=name):
            yield

    def record(self, barrier: Barrier, state: Any) -> None:
        """Keep the state that every event before the barrier led to."""
        self._recorded[barrier.id] = state
        if len(self._recorded) > KEPT:
            del self._recorded[next(iter(self._recorded))]
        self._tell_news()

    def close(self) -> None:
        """No barrier will come any more: refuse those who wait for one."""
        self._closed = True
        self._tell_news()

    async def tell(self, request: StateRequest) -> StateSnapshot:
        """What was remembered at a barrier, once it has come.

        Raises:
            AskRefused: It did not come.
        """
        state = await self._recorded_at(request.barrier)
        mind = self._mind
        data = await anyio.to_thread.run_sync(
            lambda: encode_state(state, name=mind.name, version=mind.state_version)
        )
        return StateSnapshot(
            service=mind.name,
            version=mind.state_version,
            code_version=self._life.version,
            state=data,
            cold_start=self._life.cold_start,
        )

    async def adopt(self, adoption: Adoption) -> Adopted:
        """Go on from what another mind remembered, of all subjects or of some.

        Raises:
            AskRefused: The state can't be read or divided, or the barrier did not come; nothing was changed.
        """
        if adoption.barrier is not None:
            await self._recorded_at(adoption.barrier)
        started = time.perf_counter()
        try:
            result, cold_start = await self._adopt(adoption)
        except (CheckpointError, Refused) as failure:
            self._metrics.results.labels("refused").inc()
            raise AskRefused(f"snapshot: {failure}; nothing was adopted") from None
        seconds = time.perf_counter() - started
        self._metrics.results.labels(result).inc()
        self._metrics.seconds.observe(seconds)
        _log.info(
            "adopted", result=result, low=adoption.low, high=adoption.high, seconds=seconds, reason=cold_start
        )
        return Adopted(service=self._mind.name, cold_start=cold_start)

    async def _adopt(self, adoption: Adoption) -> tuple[str, str]:
        """The result, and why nothing could be adopted."""
        mind, life = self._mind, self._life
        try:
            given = await anyio.to_thread.run_sync(self._decoded, adoption.snapshot.state)
        except NoMigration as gap:
            why = f"nothing was taken over for buckets {adoption.low} to {adoption.high - 1}: {gap}"
            await self._change(lambda own: mind.started_cold(own, why))
            life.cold_start = why
            return "cold", why
        if adoption.whole:
            await self._change(lambda own: mind.succeeding(own, given))
            life.cold_start = adoption.snapshot.cold_start
            return "whole", ""
        await self._change(
            lambda own: mind.merged(
                own, given, lambda subject: adoption.low <= bucket(subject) < adoption.high
            )
        )
        return "part", ""

    async def _recorded_at(self, barrier: UUID) -> Any:
        with anyio.move_on_after(LONGEST_WAIT_S):
            while barrier not in self._recorded and not self._closed:
                await self._news.wait()
        if barrier not in self._recorded:
            why = "the service stops" if self._closed else f"it did not come within {LONGEST_WAIT_S:g} s"
            raise AskRefused(f"barrier: no state was recorded at {barrier}; {why}")
        return self._recorded[barrier]

    def _decoded(self, data: bytes) -> Any:
        mind = self._mind
        return decode_state(
            data, mind.state_type, name=mind.name, version=mind.state_version, migrations=mind.migrations
        )

    def _tell_news(self) -> None:
        self._news.set()
        self._news = anyio.Event()
