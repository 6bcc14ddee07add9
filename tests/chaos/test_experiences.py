"""What became conscious is remembered once, whatever is killed meanwhile.

Who kills memory and inference within a second loses what no checkpoint holds yet; nobody does here.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import anyio
import anyio.to_thread
import psycopg
import pytest
from emily import launch
from emily.bus import settings as bus_settings
from emily.system import Layout, parts
from emily_bus import Bus, Subscription
from emily_contracts import Overflow
from emily_contracts.topics import EXPERIENCE, INBOUND_OUTCOME
from emily_postgres import url_of
from harness import fresh_layout, up
from stimuli import Client, client, look, outcome

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

SUBJECTS = 4
ROUNDS = 25
KILLED_AFTER_S = 1.0
BETWEEN_KILLS_S = 0.2
PAUSE_S = 0.1
PATIENCE_S = 90


@pytest.fixture(scope="module")
def victim(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """A running system that remembers."""
    layout = fresh_layout(tmp_path_factory.mktemp("victim"), trained, memory=True)
    with up(layout):
        yield layout


@pytest.mark.parametrize(
    "names",
    [
        ("memory",),
        ("postmaster",),
        ("inference",),
        ("memory", "postmaster"),
        ("postmaster", "memory"),
        ("postmaster", "inference"),
    ],
    ids=" then ".join,
)
def test_a_kill_costs_no_experience(victim: Layout, names: tuple[str, ...]) -> None:
    for part in parts(victim):
        launch.wait_until_ready(victim, part)
    said: list[UUID] = []
    anyio.run(_live, victim, names, said)
    kept = anyio.run(_settled, victim, set(said))
    print(f"{' then '.join(names)}: {len(set(said))} experiences, {len(set(said) & set(kept))} kept")
    assert len(set(said)) > SUBJECTS * ROUNDS / 2
    assert set(said) - set(kept) == set()
    assert [identity for identity, count in kept.items() if count > 1] == []


async def _live(layout: Layout, names: tuple[str, ...], said: list[UUID]) -> None:
    """Decisions and what became of them, while parts are killed."""
    async with (
        client(layout) as speaker,
        Bus.open(bus_settings(layout), namespace=f"emily/{layout.colour}", name="witness") as witness,
        witness.subscribe(EXPERIENCE, overflow=Overflow.DROP_OLDEST) as experiences,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(_witness, experiences, said)
        async with anyio.create_task_group() as lives:
            for number in range(SUBJECTS):
                lives.start_soon(_look_and_hear, speaker, f"{'-'.join(names)}-{number}")
            await anyio.sleep(KILLED_AFTER_S)
            for name in names:
                await anyio.to_thread.run_sync(_kill, layout, name)
                await anyio.sleep(BETWEEN_KILLS_S)
        tasks.cancel_scope.cancel()


async def _look_and_hear(speaker: Client, subject: str) -> None:
    """Looks of one subject, and what became of each decision."""
    for number in range(ROUNDS):
        stimulus = look(number, subject=subject, episode=f"{subject}-{number}", deadline_ms=2000)
        decision = await speaker.ask(stimulus, timeout=30)
        await speaker.bus.publish(INBOUND_OUTCOME, outcome(decision))
        await anyio.sleep(PAUSE_S)


async def _witness(experiences: Subscription, said: list[UUID]) -> None:
    async for experience in experiences:
        said.append(experience.episode.id)


async def _settled(layout: Layout, said: set[UUID]) -> Counter[UUID]:
    """How often each is on record, as soon as none is missing or patience ends."""
    kept: Counter[UUID] = Counter()
    with anyio.move_on_after(PATIENCE_S):
        while said - set(kept):
            await anyio.sleep(0.5)
            kept = await anyio.to_thread.run_sync(_on_record, layout)
    return kept


def _on_record(layout: Layout) -> Counter[UUID]:
    with psycopg.connect(url_of(layout.database)) as connection:
        rows = connection.execute(
            "SELECT (source ->> 'message')::uuid FROM memory.episode WHERE namespace = 'mind'"
        )
        return Counter(identity for (identity,) in rows)


def _kill(layout: Layout, name: str) -> None:
    """A service, or the database itself."""
    if name == "postmaster":
        pid = int((layout.database / "data" / "postmaster.pid").read_text().split()[0])
    else:
        (found,) = [part.pid for part in launch.require_running(layout).parts if part.name == name]
        assert found is not None
        pid = found
    os.kill(pid, signal.SIGKILL)
