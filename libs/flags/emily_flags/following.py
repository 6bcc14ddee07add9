"""Keeps a replica up to date from the bus."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from emily_bus import AskError, Bus, BusSettings
from emily_contracts.flags import FlagsRequest
from emily_contracts.topics import CURRENT_FLAGS, FLAGS

from emily_flags.replica import Replica

ROOT = "emily"
ASK_TIMEOUT_S = 2.0
LOOK_EVERY_S = 0.5


@asynccontextmanager
async def following(
    settings: BusSettings, *, namespace: str = ROOT, name: str = "flags", cache: Path | None = None
) -> AsyncIterator[Replica]:
    """A replica that follows the flag-service for the length of the block.

    A service of a colour lives in another namespace than the flag-service: this opens a session of its own.

    Args:
        settings: Of the bus.
        namespace: Of the flag-service.
        name: Who follows.
        cache: File that keeps the last known values over restarts.

    Raises:
        BusUnavailable: No session opened in time.
    """
    async with (
        Bus.open(settings, namespace=namespace, name=name) as bus,
        following_on(bus, cache=cache) as replica,
    ):
        yield replica


@asynccontextmanager
async def following_on(bus: Bus, *, cache: Path | None = None) -> AsyncIterator[Replica]:
    """A replica that follows the flag-service, over a session that is open in its namespace.

    Args:
        bus: The session.
        cache: As for `following`.
    """
    replica = Replica(cache)
    async with anyio.create_task_group() as tasks:
        await tasks.start(_follow, bus, replica)
        yield replica
        tasks.cancel_scope.cancel()


async def _follow(
    bus: Bus, replica: Replica, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """For ever; says that it started when the replica knows what the flag-service knows, if there is one."""
    async with bus.subscribe(FLAGS) as snapshots, anyio.create_task_group() as tasks:
        try:
            replica.take(await bus.ask(CURRENT_FLAGS, FlagsRequest(), timeout=ASK_TIMEOUT_S))
        except AskError:
            replica.look_at_age()  # nobody answers: the last known values are served, and it shows
        task_status.started()
        tasks.start_soon(_look_at_age, replica)
        async for snapshot in snapshots:
            replica.take(snapshot)


async def _look_at_age(replica: Replica) -> None:
    while True:
        replica.look_at_age()
        await anyio.sleep(LOOK_EVERY_S)
