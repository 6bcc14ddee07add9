"""kill -9 of the database and of memory under load: what was acknowledged is there, once."""

from __future__ import annotations

import os
import random
import signal
from datetime import UTC, datetime
from pathlib import Path

import anyio
import psycopg
import pytest
from emily import launch
from emily.bus import settings as bus_settings
from emily.system import Layout
from emily_bus import AskError, Bus
from emily_contracts import Episode, StoreRequest, uuid7
from emily_contracts.topics import STORE
from emily_postgres import url_of
from harness import fresh_layout, up

pytestmark = pytest.mark.soak

KILLS = 50
WRITERS = 16
ACKNOWLEDGED_BETWEEN = 50
PATIENCE_S = 60
SEED = 5


def test_fifty_kills_lose_no_acknowledged_memory(trained: Path, tmp_path: Path) -> None:
    layout = fresh_layout(tmp_path, trained, memory=True)
    acknowledged: list[str] = []
    with up(layout):
        anyio.run(_kill_under_load, layout, acknowledged)
        with psycopg.connect(url_of(layout.database)) as connection:
            rows = connection.execute("SELECT content, count(*) FROM memory.episode GROUP BY 1").fetchall()
    kept: dict[str, int] = dict(rows)
    print(f"{len(acknowledged)} acknowledged, {len(kept)} kept")
    assert [content for content in acknowledged if content not in kept] == []
    assert [content for content, count in kept.items() if count > 1] == []


async def _kill_under_load(layout: Layout, acknowledged: list[str]) -> None:
    dice = random.Random(SEED)
    settings = bus_settings(layout)
    async with (
        Bus.open(settings, namespace=f"emily/{layout.colour}", name="soak") as bus,
        anyio.create_task_group() as tasks,
    ):
        for writer in range(WRITERS):
            tasks.start_soon(_write, bus, writer, acknowledged)
        for _ in range(KILLS):
            before = len(acknowledged)
            with anyio.fail_after(PATIENCE_S):
                while len(acknowledged) < before + ACKNOWLEDGED_BETWEEN:
                    await anyio.sleep(0.02)
            await anyio.sleep(dice.uniform(0.0, 0.3))
            _kill(layout, dice.choice(("memory", "postgres", "postmaster")))
        before = len(acknowledged)
        with anyio.fail_after(PATIENCE_S):
            while len(acknowledged) < before + ACKNOWLEDGED_BETWEEN:
                await anyio.sleep(0.02)
        tasks.cancel_scope.cancel()


async def _write(bus: Bus, writer: int, acknowledged: list[str]) -> None:
    """One memory after the other; what is refused or lost on the way is sent again until it is kept."""
    number = 0
    while True:
        at = datetime.now(UTC)
        content = f"writer {writer} remembers moment {number}"
        episode = Episode(id=uuid7(at), occurred_at=at, content=content)
        while True:
            identity = uuid7(datetime.now(UTC))
            request = StoreRequest(
                id=identity, at=at, stimulus_id=identity, namespace="soak", episode=episode
            )
            try:
                await bus.ask(STORE, request, timeout=3)
            except AskError:
                await anyio.sleep(0.1)
            else:
                break
        acknowledged.append(content)
        number += 1


def _kill(layout: Layout, name: str) -> None:
    """The service, the starter of the database, or the database itself; one that is down is spared."""
    if name == "postmaster":
        pid = int((layout.database / "data" / "postmaster.pid").read_text().split()[0])
    else:
        (part,) = [part for part in launch.require_running(layout).parts if part.name == name]
        if part.pid is None:
            return
        pid = part.pid
    os.kill(pid, signal.SIGKILL)
