"""Deploys in PostgreSQL: one row may be open at a time, and one process works on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from importlib import resources
from typing import Any, LiteralString
from uuid import UUID

import anyio.to_thread
import msgspec
import psycopg
from emily_postgres import Connection, Pool, Renewed, open_pool
from emily_postgres.migrating import Database as Schema
from emily_postgres.migration import Migration, load
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout

from emily_deployer.deployment import Deployment, Step
from emily_deployer.errors import Closed
from emily_deployer.store.store import Act, busy

SCHEMA = "deploys"
TIMEOUT_S = 3.0


@cache
def migrations() -> tuple[Migration, ...]:
    """Of the schema."""
    return load(resources.files("emily_deployer.store").joinpath("migrations"))


class Database:
    """A `Store` in PostgreSQL. Made by `opened`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(self, deployment: Deployment, act: Act) -> None:
        """Keep a new deploy unless another is under way."""
        try:
            async with self._transaction() as connection:
                await connection.execute(
                    "INSERT INTO deployment (id, document) VALUES (%s, %s)",
                    [deployment.id, _json(deployment)],
                )
                await _note(connection, act)
        except psycopg.errors.UniqueViolation:
            holder = await self.current()
            if holder is not None:
                raise busy(holder) from None
            await self.claim(deployment, act)

    async def record(self, deployment: Deployment, act: Act | None = None) -> None:
        """Keep a deploy as it is now, and what was done, both or neither."""
        async with self._transaction() as connection:
            await connection.execute(
                "UPDATE deployment SET document = %s, ended_at = %s WHERE id = %s",
                [_json(deployment), deployment.ended_at, deployment.id],
            )
            if act is not None:
                await _note(connection, act)

    async def current(self) -> Deployment | None:
        """The deploy that is not over."""
        found = await self._deployments("SELECT document FROM deployment WHERE ended_at IS NULL", [])
        return found[0] if found else None

    async def history(self, limit: int) -> list[Deployment]:
        """The newest first."""
        newest = "SELECT document FROM deployment ORDER BY number DESC LIMIT %s"
        return await self._deployments(newest, [limit])

    async def acts(self, deployment: UUID) -> list[Act]:
        """In order."""
        async with self._transaction() as connection:
            rows = await connection.execute(
                "SELECT at, who, what, step, why FROM act WHERE deployment = %s ORDER BY number", [deployment]
            )
            return [
                Act(at=at, deployment=deployment, who=who, what=what, step=Step(step), why=why)
                async for at, who, what, step, why in rows
            ]

    async def _deployments(self, statement: LiteralString, values: list[Any]) -> list[Deployment]:
        async with self._transaction() as connection:
            rows = await connection.execute(statement, values)
            return [msgspec.convert(document, Deployment) async for (document,) in rows]

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        with _away_told():
            async with self._pool.connection() as connection, connection.transaction():
                yield connection


@asynccontextmanager
async def opened(url: str, *, renewed: Renewed | None = None) -> AsyncIterator[Database]:
    """The store with its schema grown to this version, for the length of the block.

    Args:
        url: Of the database.
        renewed: Tells the URL anew for each new connection.

    Raises:
        DatabaseUnavailable: No connection in time.
        MigrationError: The schema can't be grown.
    """
    await anyio.to_thread.run_sync(lambda: Schema(url, SCHEMA).migrate(migrations()))
    async with open_pool(
        url, schema=SCHEMA, name="deployer", size=2, timeout_s=TIMEOUT_S, renewed=renewed
    ) as pool:
        yield Database(pool)


async def sole(url: str) -> psycopg.AsyncConnection[Any] | None:
    """A connection that makes this process the one deployer while it lives; none when another is it."""
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=int(TIMEOUT_S))
    cursor = await connection.execute("SELECT pg_try_advisory_lock(hashtextextended('emily deployer', 0))")
    row = await cursor.fetchone()
    if row is not None and row[0]:
        return connection
    await connection.close()
    return None


async def _note(connection: Connection, act: Act) -> None:
    await connection.execute(
        "INSERT INTO act (deployment, at, who, what, step, why) VALUES (%s, %s, %s, %s, %s, %s)",
        [act.deployment, act.at, act.who, act.what, act.step.value, act.why],
    )


def _json(deployment: Deployment) -> Jsonb:
    return Jsonb(msgspec.to_builtins(deployment))


@contextmanager
def _away_told() -> Iterator[None]:
    try:
        yield
    except (psycopg.OperationalError, PoolTimeout) as failure:
        raise Closed(f"database: {type(failure).__name__}; ask again later") from None
