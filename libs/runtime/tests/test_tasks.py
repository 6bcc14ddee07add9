"""Supervised tasks: what fails is counted, and either ends the service or starts again."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from emily_runtime.tasks import Tasks
from prometheus_client import CollectorRegistry


class Attempts:
    """Fails until the given attempt, and notes when each was made."""

    def __init__(self, succeeds_at: int) -> None:
        self._succeeds_at = succeeds_at
        self.made: list[float] = []

    async def connect(self) -> None:
        self.made.append(anyio.current_time())
        if len(self.made) < self._succeeds_at:
            raise ConnectionError(f"attempt {len(self.made)}")


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_a_restarting_task_is_tried_until_it_returns_with_growing_bounded_pauses(
    registry: CollectorRegistry, on_loop: Any
) -> None:
    attempts = Attempts(succeeds_at=6)

    async def live() -> None:
        await Tasks(registry).restarting(
            "database", attempts.connect, first_pause_s=0.01, longest_pause_s=0.04
        )

    on_loop(live)
    pauses = [later - sooner for sooner, later in zip(attempts.made, attempts.made[1:], strict=False)]
    assert len(pauses) == 5
    assert all(pause >= least for pause, least in zip(pauses, (0.01, 0.02, 0.04, 0.04, 0.04), strict=True))
    assert registry.get_sample_value("emily_task_failures_total", {"task": "database"}) == 5


def test_a_restarting_task_can_be_cancelled_while_it_waits(registry: CollectorRegistry, on_loop: Any) -> None:
    attempts = Attempts(succeeds_at=1_000_000)

    async def live() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Tasks(registry).restarting, "database", attempts.connect)
            while not attempts.made:
                await anyio.sleep(0.001)
            tasks.cancel_scope.cancel()

    on_loop(live)
    assert len(attempts.made) >= 1


def test_the_failure_of_a_critical_task_goes_on_up_with_its_name(
    registry: CollectorRegistry, on_loop: Any
) -> None:
    async def live() -> None:
        await Tasks(registry).critical("main", Attempts(succeeds_at=2).connect)

    with pytest.raises(ConnectionError) as caught:
        on_loop(live)
    assert caught.value.__notes__ == ["in the task 'main'"]
    assert registry.get_sample_value("emily_task_failures_total", {"task": "main"}) == 1
