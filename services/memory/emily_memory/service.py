"""Memory as a service: answers the bus, and keeps its database in order."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import psycopg
from emily_bus import AskRefused
from emily_contracts.topics import EXPERIENCE, STANDING
from emily_postgres import reached, url_of
from emily_runtime import DatabaseAddress, Life, Service
from emily_runtime.logs import get_logger
from emily_runtime.secrets.setting import given
from litestar import Litestar
from psycopg_pool import PoolTimeout

from emily_memory import queries
from emily_memory.api.app import create_app
from emily_memory.api.rooms import Rooms
from emily_memory.embedding import Embedder, Endpoint, choose
from emily_memory.errors import MemoryRefused, StoreUnavailable
from emily_memory.living import Living
from emily_memory.memory import Memory, remembering
from emily_memory.metrics import Metrics
from emily_memory.queries import Answer
from emily_memory.settings import MemorySettings
from emily_memory.shadowing import Shadowing
from emily_memory.store import spaces
from emily_memory.store.database import Database, opened
from emily_memory.upkeep.consolidation import Consolidating
from emily_memory.upkeep.embedders import KINDS, Embedders
from emily_memory.upkeep.forgetting import Policy
from emily_memory.upkeep.leader import Upkeep
from emily_memory.upkeep.probing import Probe

_log = get_logger(__name__)


class MemoryService(Service[MemorySettings]):
    """Keeps what is stored and recalls it."""

    name = "memory"
    settings_type = MemorySettings
    needs = ("database", "queries")

    def __init__(self, settings: MemorySettings) -> None:
        super().__init__(settings)
        self._rooms: Rooms | None = None

    def http(self, life: Life) -> Litestar:
        """The API."""
        return create_app(self._open_rooms, version=life.version, allowed_hosts=self.settings.allowed_hosts)

    async def main(self, life: Life) -> None:
        """Answers until it is stopped; what was taken in by then is written."""
        address = DatabaseAddress(self.settings)
        async with AsyncExitStack() as stack:
            database = await self._open(stack, address, life)
            if database is None:
                return
            embedder = await anyio.to_thread.run_sync(
                partial(_embedder, self.settings, await _provider(database, self.settings))
            )
            memory = await stack.enter_async_context(
                remembering(database, embedder, metrics=Metrics(life.registry), capacity=self.settings.queue)
            )
            probe = Probe(memory, share=self.settings.probe_share)
            background = await stack.enter_async_context(anyio.create_task_group())
            embedders, policy = Embedders(partial(_embedder, self.settings)), _policy(self.settings)
            upkeep = Upkeep(memory, embedders=embedders, policy=policy)
            background.start_soon(life.tasks.restarting, "upkeep", upkeep.run)
            if self.settings.consolidate_every_h is not None:
                consolidation = Consolidating(memory, upkeep, hours=self.settings.consolidate_every_h)
                background.start_soon(life.tasks.restarting, "consolidation", consolidation.run)
            background.start_soon(life.tasks.restarting, "probe", probe.run)
            served = (
                queries.of_memory(memory, probe)
                | queries.of_curation(memory)
                | queries.of_upkeep(memory, embedders, policy)
            )
            for query, answer in served.items():
                await stack.enter_async_context(
                    life.bus.serve(query, partial(_answered, life, memory, answer))
                )
            shadowing = Shadowing()
            standings = await stack.enter_async_context(life.bus.subscribe(STANDING))
            await shadowing.ask(life.bus)
            background.start_soon(shadowing.follow, standings)
            lived = await stack.enter_async_context(life.observe(life.bus.subscribe(EXPERIENCE)))
            living = Living(memory, life.bus, shadowing)
            background.start_soon(living.hear, lived)
            background.start_soon(life.tasks.restarting, "experiences", living.catch_up)
            self._rooms = Rooms(database, memory.store, memory.recall, memory.metrics)
            life.ready("queries")
            await life.stopping.wait()
            self._rooms = None
            background.cancel_scope.cancel()

    def _open_rooms(self) -> Rooms:
        if self._rooms is None:
            raise StoreUnavailable("memory is starting or stopping; ask again in a moment")
        return self._rooms

    async def _open(self, stack: AsyncExitStack, address: DatabaseAddress, life: Life) -> Database | None:
        """The database as soon as it is there; none when the service is stopped before."""
        url = await address() or url_of(self.settings.state_dir / "postgres")
        if not await reached(url, life.stopping, waits=_say_waiting):
            return None
        database = await stack.enter_async_context(
            opened(
                url,
                size=self.settings.connections,
                ef_search=self.settings.ef_search,
                name=self.settings.namespace.rpartition("/")[2],
                renewed=address,
            )
        )
        life.ready("database")
        return database


async def _provider(database: Database, settings: MemorySettings) -> str:
    """The kind of embedder that the active space wants; that of the settings when there is none."""
    async with database.writer.connection() as connection:
        active = await spaces.active(connection)
    if active is None:
        return settings.embedder
    kind = KINDS[active.provider]
    if kind != settings.embedder:
        _log.warning(
            "another embedder serves this database; move it with: emily memory reembed",
            serves=kind,
            setting=settings.embedder,
        )
    return kind


def _embedder(settings: MemorySettings, kind: str) -> Embedder:
    endpoint = None
    if settings.embedder_url is not None:
        endpoint = Endpoint(
            url=settings.embedder_url,
            model=settings.embedder_model,
            dimension=settings.embedder_dimension,
            api_key=given(settings, "embedder_key"),
        )
    return choose(kind, threads=settings.embedder_threads, endpoint=endpoint)


def _policy(settings: MemorySettings) -> Policy:
    return Policy(purge_after=timedelta(days=settings.purge_after_days), budget=settings.budget)


async def _answered(life: Life, memory: Memory, answer: Answer, request: Any) -> Any:
    """An answer, or a refusal that says why."""
    try:
        answered = await answer(request)
    except MemoryRefused as refusal:
        memory.metrics.rejected.labels(type(refusal).__name__.lower()).inc()
        raise AskRefused(str(refusal)) from None
    except (psycopg.OperationalError, PoolTimeout) as failure:
        away = StoreUnavailable(f"database: {type(failure).__name__}; ask again later")
        raise AskRefused(str(away)) from None
    life.handled += 1
    return answered


def _say_waiting() -> None:
    _log.warning("waits for the database; start it, or check its URL")
