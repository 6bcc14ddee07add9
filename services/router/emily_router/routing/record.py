"""The routing table in PostgreSQL: one row for each change, the newest holds."""

from __future__ import annotations

from functools import cache
from importlib import resources
from types import TracebackType
from typing import Any, Self

import anyio.to_thread
import psycopg
from emily_contracts.routing import RoutingTable
from emily_postgres import DatabaseUnavailable, MigrationError, Renewed
from emily_postgres.migrating import Database as Schema
from emily_postgres.migration import Migration, load

from emily_router.errors import Outdated, RecordAway

SCHEMA = "routing"
TIMEOUT_S = 2
"""For a connection, and for a statement: stimuli wait while a table is changed."""

_NEWEST = "SELECT version, active, canary, weight, shadow FROM change ORDER BY version DESC LIMIT 1"
_REPLACE = (
    "INSERT INTO change (version, active, canary, weight, shadow, author, reason)"
    " SELECT %(version)s::bigint, %(active)s, %(canary)s, %(weight)s::int, %(shadow)s, %(author)s, %(reason)s"
    " WHERE coalesce((SELECT max(version) FROM change), 0) < %(version)s::bigint"
    " ON CONFLICT DO NOTHING RETURNING version"
)

type _Rows = list[tuple[Any, ...]]


@cache
def migrations() -> tuple[Migration, ...]:
    """Of the schema."""
    return load(resources.files("emily_router.routing").joinpath("migrations"))


class Record:
    """What the database knows of routing tables; an async context that owns one connection.

    Args:
        url: Of the database.
        renewed: Tells the URL anew for each connection.
    """

    def __init__(self, url: str, *, renewed: Renewed | None = None) -> None:
        self._url = url
        self._renewed = renewed
        self._grown = False
        self._connection: psycopg.AsyncConnection[tuple[Any, ...]] | None = None

    async def __aenter__(self) -> Self:
        """Connect at the first question."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self._close()

    async def newest(self) -> RoutingTable | None:
        """The table that holds; none before the first change.

        Raises:
            RecordAway: The database can't be asked.
        """
        if self._connection is not None:
            try:
                return _table(await self._ask(_NEWEST))
            except RecordAway:
                pass  # a connection that broke meanwhile says so once
        return _table(await self._ask(_NEWEST))

    async def replace(self, table: RoutingTable, *, author: str, reason: str) -> None:
        """Let a table hold in place of the one before it.

        Raises:
            Outdated: Another one holds by now.
            RecordAway: The database can't be asked; whether it holds is not known before it can.
        """
        values = {
            "version": table.version,
            "active": table.active,
            "canary": table.canary,
            "weight": table.weight,
            "shadow": table.shadow,
            "author": author,
            "reason": reason,
        }
        if not await self._ask(_REPLACE, values):
            raise Outdated(table.version - 1, "another router changed it")

    async def _ask(self, statement: str, values: dict[str, object] | None = None) -> _Rows:
        try:
            connection = self._connection or await self._connect()
            with anyio.fail_after(TIMEOUT_S):
                cursor = await connection.execute(statement, values)
                return await cursor.fetchall()
        except (DatabaseUnavailable, MigrationError, TimeoutError, psycopg.Error) as failure:
            await self._close()
            words = str(failure).strip().partition("\n")[0] or type(failure).__name__
            raise RecordAway(f"the database of the routing table can't be asked: {words}") from None

    async def _connect(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        if self._renewed is not None:
            self._url = await self._renewed() or self._url
        connection = await psycopg.AsyncConnection.connect(
            self._url,
            autocommit=True,
            connect_timeout=TIMEOUT_S,
            application_name="router",
            options=f"-c search_path={SCHEMA},public",
        )
        self._connection = connection
        if not self._grown:
            await anyio.to_thread.run_sync(Schema(self._url, SCHEMA).migrate, migrations())
            self._grown = True
        return connection

    async def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def _table(rows: _Rows) -> RoutingTable | None:
    if not rows:
        return None
    version, active, canary, weight, shadow = rows[0]
    return RoutingTable(version=version, active=active, canary=canary, weight=weight, shadow=shadow)
