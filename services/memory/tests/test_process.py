"""Memory as a process on a real bus with a real database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from emily_bus import Bus, BusSettings, ErrorReply
from emily_contracts import Episode, RecallRequest, Store, StoreRequest, uuid7
from emily_contracts.topics import RECALL, STORE
from emily_runtime.testing import ServiceProcess, service_process

Make = Callable[..., Episode]
pytestmark = pytest.mark.anyio


def asked(content: str, number: int = 0) -> StoreRequest:
    at = datetime.now(UTC)
    episode = Episode(id=uuid7(at, number.to_bytes(10)), occurred_at=at, content=content)
    identity = uuid7(at, (number + 1).to_bytes(10))
    return StoreRequest(id=identity, at=at, stimulus_id=identity, namespace="home", episode=episode)


async def test_what_is_stored_over_the_bus_is_recalled_over_it(process: ServiceProcess) -> None:
    settings = BusSettings(endpoint=process.endpoint)
    async with Bus.open(settings, namespace=process.namespace, name="test") as bus:
        request = asked("the kettle whistles")
        stored = await bus.ask(STORE, request, timeout=5)
        assert stored == Store(id=request.episode.id, new=True, embedded=True)
        again = await bus.ask(STORE, request, timeout=5)
        assert again == Store(id=request.episode.id, new=False, embedded=True)
        answer = await bus.ask(RECALL, RecallRequest(namespace="home", text="kettle"), timeout=5)
        assert [each.content for each in answer.episodes] == ["the kettle whistles"]
        assert answer.exhausted
        elsewhere = await bus.ask(RECALL, RecallRequest(namespace="work", text="kettle"), timeout=5)
        assert elsewhere.episodes == ()
    assert process.metric("emily_memory_stored_total", what="new") == 1
    assert process.metric("emily_memory_stored_total", what="known") == 1


async def test_what_was_acknowledged_is_there_after_a_kill(process: ServiceProcess, url: str) -> None:
    settings = BusSettings(endpoint=process.endpoint)
    acknowledged: set[str] = set()

    async def store(bus: Bus, number: int) -> None:
        try:
            await bus.ask(STORE, asked(f"moment {number}", number), timeout=2)
        except Exception:
            return
        acknowledged.add(f"moment {number}")

    async with Bus.open(settings, namespace=process.namespace, name="test") as bus:
        async with anyio.create_task_group() as tasks:
            for number in range(200):
                tasks.start_soon(store, bus, number)
            while len(acknowledged) < 20:
                await anyio.sleep(0.005)
            process.kill()
        process.start(database_url=url, embedder="hashing")
        answer = await bus.ask(RECALL, RecallRequest(namespace="home", text="moment", limit=1000), timeout=5)
    found = [each.content for each in answer.episodes]
    assert acknowledged <= set(found)
    assert len(found) == len(set(found))


async def test_a_full_queue_refuses_by_name(process: ServiceProcess, url: str) -> None:
    process.stop()
    process.start(database_url=url, embedder="hashing", queue="1")
    refused = 0

    async def store(bus: Bus, number: int) -> None:
        nonlocal refused
        try:
            await bus.ask(STORE, asked(f"moment {number}", number), timeout=5)
        except ErrorReply as reply:
            refused += "queue: 1 episodes wait to be written; store it again later" in str(reply)

    settings = BusSettings(endpoint=process.endpoint)
    async with (
        Bus.open(settings, namespace=process.namespace, name="test") as bus,
        anyio.create_task_group() as tasks,
    ):
        for number in range(30):
            tasks.start_soon(store, bus, number)
    assert refused > 0
    assert process.metric("emily_memory_rejected_total", reason="overloaded") == refused


async def test_a_drain_writes_what_waits(process: ServiceProcess, url: str) -> None:
    settings = BusSettings(endpoint=process.endpoint)
    async with Bus.open(settings, namespace=process.namespace, name="test") as bus:
        await bus.ask(STORE, asked("the last word"), timeout=5)
    assert process.stop() == 0


def test_a_database_that_is_away_is_waited_for(endpoint: str, tmp_path: Path) -> None:
    away = service_process("memory", endpoint=endpoint, namespace="emily/away", state_dir=tmp_path)
    with away as process:
        process.launch(database_url="postgresql://nobody@127.0.0.1:1/x", embedder="hashing")
        process.wait_until(lambda: process.get("/readyz").status == 503)
        assert "database" in process.get("/readyz").text
        assert process.stop() == 0


def test_http_serves_the_names_that_are_allowed(process: ServiceProcess, url: str) -> None:
    assert process.get("/api/v1/memories/stats").status == 200
    process.stop()
    process.start(database_url=url, embedder="hashing", allowed_hosts="memory.example")
    assert process.get("/api/v1/memories/stats").status == 421


def test_wrong_settings_end_it_with_all_of_them_named(endpoint: str, tmp_path: Path) -> None:
    wrong = service_process("memory", endpoint=endpoint, namespace="emily/wrong", state_dir=tmp_path)
    with wrong as process:
        process.launch(embedder="oracle", ef_search="1")
        assert process.wait() == 2
        assert "oracle" in process.log.read_text()
        assert "EMILY_MEMORY_EF_SEARCH" in process.log.read_text()
