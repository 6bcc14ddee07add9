"""Tasks of a service whose failures are counted, and those that start again after one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
from prometheus_client import CollectorRegistry, Counter

from emily_runtime.logs import get_logger

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0

Work = Callable[[], Awaitable[None]]

_log = get_logger(__name__)


class Tasks:
    """Runs work under a name; start its methods in a task group."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._failures = Counter(
            "emily_task_failures", "Failures of supervised tasks", ["task"], registry=registry
        )

    async def critical(self, name: str, work: Work) -> None:
        """Run work whose failure ends the service: it is counted, named in the traceback, and goes on up."""
        try:
            await work()
        except Exception as failure:
            self._failures.labels(name).inc()
            failure.add_note(f"in the task {name!r}")
            raise

    async def restarting(
        self,
        name: str,
        work: Work,
        *,
        first_pause_s: float = FIRST_PAUSE_S,
        longest_pause_s: float = LONGEST_PAUSE_S,
    ) -> None:
        """Run work until it returns; after a failure, again, each pause twice the last up to the longest."""
        pause = first_pause_s
        while True:
            try:
                await work()
            except Exception as failure:
                self._failures.labels(name).inc()
                _log.error("task failed, starts again", task=name, pause_s=pause, exc_info=failure)
            else:
                return
            await anyio.sleep(pause)
            pause = min(2 * pause, longest_pause_s)
