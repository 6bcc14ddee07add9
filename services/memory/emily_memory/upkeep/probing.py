"""How much of the exact answer recalls find: a share of them is run again, looking at everything."""

from __future__ import annotations

import random
from collections import deque

import anyio
from emily_contracts import RecallRequest

from emily_memory.memory import Memory
from emily_memory.recall.weights import NEAREST

PROBES = 200
MOST_WAITING = 16


class Probe:
    """Measures the nearest neighbours of sampled recalls against all vectors.

    Args:
        memory: That is measured.
        share: Of recalls that are sampled; while many wait, fewer are.
        seed: Of the sampling.
    """

    def __init__(self, memory: Memory, *, share: float, seed: int = 0) -> None:
        self._memory = memory
        self._share = share
        self._chance = random.Random(seed)  # noqa: S311 # nosec B311 - sampling
        self._send, self._receive = anyio.create_memory_object_stream[RecallRequest](MOST_WAITING)
        self._found: deque[float] = deque(maxlen=PROBES)

    @property
    def recall(self) -> float | None:
        """Mean share of the exact answers that were found, over the last probes; none before the first."""
        return sum(self._found) / len(self._found) if self._found else None

    def sample(self, request: RecallRequest) -> None:
        """Perhaps have a recall run again."""
        if self._chance.random() < self._share and self._send.statistics().current_buffer_used < MOST_WAITING:
            self._send.send_nowait(request)

    async def run(self) -> None:
        """Run what was sampled, for ever."""
        async for request in self._receive:
            await self.probe(request)

    async def probe(self, request: RecallRequest) -> None:
        """Run one recall both ways."""
        usual = await self._memory.seek(request, NEAREST)
        exact = await self._memory.seek(request, NEAREST, exact=True)
        wanted = {each.id for each in exact.episodes}
        if wanted:
            self._found.append(len(wanted & {each.id for each in usual.episodes}) / len(wanted))
            self._memory.metrics.probed_recall.set(self.recall or 0.0)
