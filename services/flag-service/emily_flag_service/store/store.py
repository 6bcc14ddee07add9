"""Flags in PostgreSQL: each change is one transaction that sees all flags, and leaves its trace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from importlib import resources
from typing import Any

import anyio.to_thread
import psycopg
from emily_flags import Flag, InvalidFlag, document_of, parse_flag, require_consistent
from emily_postgres import Connection, Pool, Renewed, open_pool
from emily_postgres.migrating import Database as Schema
from emily_postgres.migration import Migration, load
from psycopg.types.json import Json

from emily_flag_service.errors import NoSuchFlag, Outdated
from emily_flag_service.store.entry import Action, Change, Entry, due
from emily_flag_service.store.trials import Trials

SCHEMA = "flags"
TIMEOUT_S = 3.0
"""For a connection: whoever wants to change a flag shall not wait long to hear that it can't be done."""
LARGEST = 2 * 2**20
"""Bytes of all flags together: a snapshot must fit into one message of the bus."""


@cache
def migrations() -> tuple[Migration, ...]:
    """Of the schema."""
    return load(resources.files("emily_flag_service.store").joinpath("migrations"))


class Store:
    """Reads and changes flags.

    Attributes:
        trials: What became of subjects under their variants.
    """

    def __init__(self, pool: Pool) -> None:
        self.trials = Trials(pool)
        self._pool = pool

    async def revision(self) -> int:
        """Of all flags."""
        async with self._pool.connection() as connection:
            return await _revision(connection)

    async def read(self) -> tuple[int, dict[str, Entry]]:
        """The revision, and all flags at it, deleted ones included."""
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            return await _revision(connection), await _entries(connection)

    async def history(self, key: str, *, limit: int) -> list[Change]:
        """The changes of a flag, newest first.

        Raises:
            NoSuchFlag: There never was one.
        """
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                "SELECT revision, at, key, version, action, author, reason, before, after"
                " FROM change WHERE key = %s ORDER BY revision DESC LIMIT %s",
                [key, limit],
            )
            changes = [Change(**dict(zip(Change.__struct_fields__, row, strict=True))) async for row in rows]
        if not changes:
            raise NoSuchFlag(key)
        return changes

    async def definition(self, key: str, version: int) -> dict[str, Any]:
        """Of an earlier version of a flag, or of the present one.

        Raises:
            NoSuchFlag: There never was one of that version, or it was the deleted flag.
        """
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                "SELECT after FROM change WHERE key = %s AND version = %s", [key, version]
            )
            found = await rows.fetchone()
        if found is None or found[0] is None:
            raise NoSuchFlag(f"{key} in version {version}")
        definition: dict[str, Any] = found[0]
        return definition

    async def put(self, flag: Flag, *, expected: int, author: str, reason: str) -> Change | None:
        """Define a flag anew; none when it is so already.

        Args:
            flag: That was checked by itself.
            expected: The version that is replaced; 0 for a flag that is not there.
            author: Who does it.
            reason: Why.

        Raises:
            Outdated: It has another version.
            InvalidFlag: It does not fit with the others; nothing is changed.
        """
        async with self._pool.connection() as connection, connection.transaction():
            entries = await _locked(connection)
            entry = entries.get(flag.key)
            _require_version(flag.key, entry, expected)
            if entry is not None and entry.definition == flag.definition:
                raise psycopg.Rollback
            _require_fit(entries, {flag.key: flag.definition})
            return await _write(
                connection, entry, flag.key, flag.definition, _action(entry), author=author, reason=reason
            )
        return None

    async def delete(self, key: str, *, expected: int, author: str, reason: str) -> Change:
        """Delete a flag; its history stays.

        Raises:
            NoSuchFlag: There is none.
            Outdated: It has another version.
            InvalidFlag: Another flag needs it; nothing is changed.
        """
        async with self._pool.connection() as connection, connection.transaction():
            entries = await _locked(connection)
            entry = entries.get(key)
            if entry is None or entry.definition is None:
                raise NoSuchFlag(key)
            _require_version(key, entry, expected)
            _require_fit(entries, {key: None})
            return await _write(connection, entry, key, None, "deleted", author=author, reason=reason)

    async def take_over(self, files: Mapping[str, Flag], *, author: str) -> tuple[list[str], list[str]]:
        """Load flags of files, all or none; gives the keys that were loaded and those that people keep.

        Raises:
            InvalidFlag: They don't fit with the others; nothing is changed.
        """
        async with self._pool.connection() as connection, connection.transaction():
            entries = await _locked(connection)
            taken, kept = due(entries, files)
            _require_fit(entries, {flag.key: flag.definition for flag in taken})
            for flag in taken:
                entry = entries.get(flag.key)
                await _write(
                    connection, entry, flag.key, flag.definition, "loaded", author=author, loaded=True
                )
        return [flag.key for flag in taken], kept


@asynccontextmanager
async def opened(url: str, *, size: int = 4, renewed: Renewed | None = None) -> AsyncIterator[Store]:
    """The store with its schema grown to this version, for the length of the block.

    Args:
        url: Of the database.
        size: Connections.
        renewed: Tells the URL anew for each new connection.

    Raises:
        DatabaseUnavailable: No connection in time.
        MigrationError: The schema can't be grown.
    """
    await anyio.to_thread.run_sync(lambda: Schema(url, SCHEMA).migrate(migrations()))
    async with open_pool(
        url, schema=SCHEMA, name="flag-service", size=size, timeout_s=TIMEOUT_S, renewed=renewed
    ) as pool:
        yield Store(pool)


async def _revision(connection: Connection) -> int:
    row = await (await connection.execute("SELECT revision FROM counter")).fetchone()
    return 0 if row is None else int(row[0])


async def _entries(connection: Connection) -> dict[str, Entry]:
    rows = await connection.execute("SELECT key, version, definition, loaded FROM flag ORDER BY key")
    return {
        key: Entry(key=key, version=version, definition=definition, loaded=loaded)
        async for key, version, definition, loaded in rows
    }


async def _locked(connection: Connection) -> dict[str, Entry]:
    """All flags; nobody else changes one until the transaction ends."""
    await connection.execute("SELECT revision FROM counter FOR UPDATE")
    return await _entries(connection)


async def _write(
    connection: Connection,
    entry: Entry | None,
    key: str,
    definition: dict[str, Any] | None,
    action: Action,
    *,
    author: str,
    reason: str = "",
    loaded: bool = False,
) -> Change:
    row = await (
        await connection.execute("UPDATE counter SET revision = revision + 1 RETURNING revision")
    ).fetchone()
    assert row is not None  # noqa: S101 - the migration put it there
    version = 1 if entry is None else entry.version + 1
    before = None if entry is None else entry.definition
    origin = definition if loaded else None if entry is None else entry.loaded
    await connection.execute(
        "INSERT INTO flag (key, version, definition, loaded) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (key) DO UPDATE SET version = excluded.version, definition = excluded.definition,"
        " loaded = excluded.loaded",
        [key, version, _json(definition), _json(origin)],
    )
    made = await (
        await connection.execute(
            "INSERT INTO change (revision, key, version, action, author, reason, before, after)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING at",
            [row[0], key, version, action, author, reason, _json(before), _json(definition)],
        )
    ).fetchone()
    assert made is not None  # noqa: S101 - it was written
    return Change(
        revision=row[0],
        at=made[0],
        key=key,
        version=version,
        action=action,
        author=author,
        reason=reason,
        before=before,
        after=definition,
    )


def _json(definition: dict[str, Any] | None) -> Json | None:
    return None if definition is None else Json(definition)


def _action(entry: Entry | None) -> Action:
    return "created" if entry is None or entry.definition is None else "changed"


def _require_version(key: str, entry: Entry | None, expected: int) -> None:
    version = 0 if entry is None or entry.definition is None else entry.version
    if version != expected:
        raise Outdated(key, expected, version)


def _require_fit(entries: Mapping[str, Entry], changes: Mapping[str, dict[str, Any] | None]) -> None:
    definitions = {key: entry.definition for key, entry in entries.items()} | dict(changes)
    flags = {
        key: parse_flag(key, definition) for key, definition in definitions.items() if definition is not None
    }
    require_consistent(flags)
    size = len(document_of(flags.values(), 0))
    if size > LARGEST:
        raise InvalidFlag("", "flags", f"{size} bytes together, at most {LARGEST} fit; delete old ones")
