"""The connections of memory: one that writes, and readers behind the fence of their namespace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from importlib import resources
from weakref import WeakKeyDictionary

import anyio.to_thread
import msgspec
from emily_postgres import Connection, Pool, Renewed, open_pool
from emily_postgres.migrating import Database as Schema
from emily_postgres.migration import Migration, load, spoken
from pgvector.psycopg import register_vector_async
from psycopg.types.json import set_json_loads

from emily_memory.store.record import STAGING

SCHEMA = "memory"
READER = "emily_memory_reader"
WRITTEN = {"plan_cache_mode": "auto"}
"""A batch is moved alike each time, so its plan may be kept."""
SCANNED = {"hnsw.iterative_scan": "relaxed_order", "hnsw.max_scan_tuples": "20000"}


@cache
def migrations() -> tuple[Migration, ...]:
    """Of memory's schema."""
    return load(resources.files("emily_memory.store").joinpath("migrations"))


class Database:
    """Both pools.

    Attributes:
        writer: Sees every namespace.
    """

    def __init__(self, writer: Pool, reader: Pool) -> None:
        self.writer = writer
        self._reader = reader
        self._namespaces: WeakKeyDictionary[Connection, str] = WeakKeyDictionary()

    @asynccontextmanager
    async def reading(self, namespace: str) -> AsyncIterator[Connection]:
        """A connection that sees one namespace and nothing else."""
        async with self._reader.connection() as connection:
            if self._namespaces.get(connection) != namespace:
                self._namespaces.pop(connection, None)
                await connection.execute("SELECT set_config('emily.namespace', %s, false)", [namespace])
                self._namespaces[connection] = namespace
            yield connection

    def statistics(self) -> dict[str, dict[str, int]]:
        """Of the pools, as psycopg counts them."""
        return {"writer": self.writer.get_stats(), "reader": self._reader.get_stats()}


@asynccontextmanager
async def opened(
    url: str, *, size: int = 6, ef_search: int = 128, name: str = "memory", renewed: Renewed | None = None
) -> AsyncIterator[Database]:
    """The database with its schema grown to this version, for the length of the block.

    Args:
        url: Of the database.
        size: Connections of each pool.
        ef_search: Width of the search in the index: recall against time.
        name: One word for who speaks, shown by the server: a contraction refuses with it.
        renewed: Tells the URL anew for each new connection.

    Raises:
        DatabaseUnavailable: No connection in time.
        MigrationError: The schema can't be grown, or has outgrown this version.
    """
    version = spoken(migrations())

    def grow() -> None:
        schema = Schema(url, SCHEMA)
        schema.migrate(migrations())
        schema.require(version)

    async def writing(connection: Connection) -> None:
        await register_vector_async(connection)
        await connection.execute(STAGING)

    async def reading(connection: Connection) -> None:
        await register_vector_async(connection)
        set_json_loads(msgspec.json.decode, connection)
        await connection.execute(f"SET ROLE {READER}")

    settings = {**SCANNED, "hnsw.ef_search": str(ef_search)}
    async with AsyncExitStack() as pools:
        # Open until the others are: a contraction that looks who is connected never looks in between.
        async with open_pool(url, schema=SCHEMA, version=version, name=f"{name} probe", size=1):
            await anyio.to_thread.run_sync(grow)
            writer, reader = [
                await pools.enter_async_context(
                    open_pool(
                        url,
                        schema=SCHEMA,
                        version=version,
                        name=f"{name} {what}",
                        size=size,
                        settings=session,
                        configure=configure,
                        renewed=renewed,
                    )
                )
                for what, session, configure in (
                    ("writer", WRITTEN, writing),
                    ("reader", settings, reading),
                )
            ]
        yield Database(writer, reader)
