"""Connections to one schema, opened within a deadline and set up alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from emily_postgres.errors import DatabaseUnavailable
from emily_postgres.migration import views_of

OPEN_TIMEOUT_S = 10.0
STATEMENT_TIMEOUT_S = 30.0
MOST_WAITING = 1024
REACH_TIMEOUT_S = 2
REACH_PAUSE_S = 0.25

type Connection = AsyncConnection[Any]
type Pool = AsyncConnectionPool[Connection]
type Configure = Callable[[Connection], Awaitable[None]]
type Renewed = Callable[[], Awaitable[str | None]]


@asynccontextmanager
async def open_pool(
    url: str,
    *,
    schema: str,
    name: str,
    version: int | None = None,
    size: int = 4,
    timeout_s: float = OPEN_TIMEOUT_S,
    settings: dict[str, str] | None = None,
    configure: Configure | None = None,
    renewed: Renewed | None = None,
) -> AsyncIterator[Pool]:
    """A pool of autocommit connections for the length of the block.

    Plans are made for the values at hand (`plan_cache_mode`), since a generic one may choose a wrong index.

    Args:
        url: Of the database, or a libpq connection string.
        schema: First in the search path.
        name: Shown by the server as `application_name`.
        version: Of the schema that is spoken: its views stand in the search path in place of the schema,
            and the name shown begins with theirs, so that a migration sees who speaks what.
        size: Connections.
        timeout_s: For the first connection, and for each that is waited for.
        settings: More session settings.
        configure: Called once on each new connection.
        renewed: Tells the URL anew for each new connection; one lives an hour at most.

    Raises:
        DatabaseUnavailable: No connection in time.
    """
    spoken = schema if version is None else views_of(schema, version)
    session = {
        "search_path": f"{spoken},public",
        "plan_cache_mode": "force_custom_plan",
        "jit": "off",
        "TimeZone": "UTC",
        "statement_timeout": f"{STATEMENT_TIMEOUT_S * 1000:.0f}",
        **(settings or {}),
    }
    options = " ".join(f"-c {key}={value}" for key, value in session.items())

    async def newest() -> str:
        return (await renewed() if renewed is not None else None) or url

    pool: Pool = AsyncConnectionPool(
        newest,
        min_size=size,
        max_size=size,
        max_waiting=MOST_WAITING,
        timeout=timeout_s,
        reconnect_timeout=timeout_s,
        kwargs={
            "autocommit": True,
            "application_name": name if version is None else f"{spoken} {name}",
            "options": options,
            "connect_timeout": max(1, int(timeout_s)),
        },
        configure=configure,
        open=False,
        name=name,
    )
    try:
        try:
            await pool.open(wait=True, timeout=timeout_s)
        except (PoolTimeout, psycopg.Error) as failure:
            raise unavailable(url, timeout_s, failure) from None
        yield pool
    finally:
        await pool.close(timeout=5)


async def reachable(url: str, *, timeout_s: int) -> bool:
    """Whether the database takes a connection within some seconds."""
    try:
        connection = await AsyncConnection.connect(url, connect_timeout=timeout_s)
    except psycopg.OperationalError:
        return False
    await connection.close()
    return True


async def reached(url: str, stopping: anyio.Event, *, waits: Callable[[], None]) -> bool:
    """Wait until the database takes a connection; whether it did before `stopping` was set.

    Args:
        waits: Called once, when it is not there at first.
    """
    told = False
    while not await reachable(url, timeout_s=REACH_TIMEOUT_S):
        if not told:
            waits()
            told = True
        with anyio.move_on_after(REACH_PAUSE_S):
            await stopping.wait()
            return False
    return True


def unavailable(url: str, timeout_s: float, failure: Exception) -> DatabaseUnavailable:
    """The error that names the place, and never the password."""
    try:
        parts = conninfo_to_dict(url)
        place = f"{parts.get('host', 'the local socket')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"
    except psycopg.ProgrammingError:
        return DatabaseUnavailable("the database URL can't be read; use postgresql://USER@HOST:PORT/NAME")
    reason = "" if isinstance(failure, PoolTimeout) else f" ({type(failure).__name__})"
    return DatabaseUnavailable(
        f"no connection to {place} within {timeout_s:g} s{reason}; start it, or check host, user and password"
    )
