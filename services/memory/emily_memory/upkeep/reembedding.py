"""Moves a database to another embedding space while the old one answers.

The new space is built beside it: `begin` registers it, `advance` (the leader of upkeep, again and again) lets
what is remembered wait for a vector and embeds what waits, and switches when nothing is missing. All that is
known of a move is in the database, so whoever leads next goes on with it. The vectors of the space that
answered before stay until `drop_retired`.
"""

from __future__ import annotations

from emily_contracts.upkeeping import DropRetired, Reembedding
from emily_postgres import Connection
from psycopg import sql
from psycopg.errors import LockNotAvailable

from emily_memory.embedding.embedder import Embedder
from emily_memory.embedding.space import Space
from emily_memory.errors import MemoryRefused
from emily_memory.store import spaces
from emily_memory.store.spaces import Tables
from emily_memory.upkeep.tiering import EMBEDDED, embed_waiting

QUEUED = 2000
"""Memories that are let wait in one transaction."""
BATCHES = 4
"""Batches that are embedded in one step."""
SWITCH_TIMEOUT_S = 2
"""Longest wait of a switch for writers; it is tried again later."""

_VECTORLESS = sql.SQL(
    "archived_at IS NULL AND retracted_at IS NULL"
    " AND NOT EXISTS (SELECT FROM {hot} h WHERE h.id = e.id)"
    " AND NOT EXISTS (SELECT FROM {indexed} v WHERE v.id = e.id)"
)


async def begin(connection: Connection, space: Space) -> None:
    """Build a space from now on, instead of any other that is being built; nothing happens when it is.

    Raises:
        MemoryRefused: It answers already, or another space is registered under its key.
    """
    await spaces.register(connection, space)
    async with connection.transaction():
        state = await _registered(connection, space)
        if state == "active":
            raise MemoryRefused(f"to: {space.key} answers already; choose another embedder")
        await connection.execute(
            "WITH other AS (UPDATE space SET state = 'retired' WHERE state = 'building' AND key <> %(key)s"
            " RETURNING key) DELETE FROM unembedded WHERE space IN (SELECT key FROM other)",
            {"key": space.key},
        )
        await connection.execute("UPDATE space SET state = 'building' WHERE key = %s", [space.key])


async def advance(connection: Connection, embedder: Embedder) -> bool:
    """One step of building the embedder's space; whether there may be more to do.

    Raises:
        EmbedderDown: What waits goes on waiting.
        MemoryRefused: The embedder's vectors do not fit its space.
    """
    queued = await queue(connection, embedder.space)
    for _ in range(BATCHES):
        if await embed_waiting(connection, embedder) < EMBEDDED:
            break
    else:
        return True
    return queued > 0 or not await switch(connection, embedder)


async def queue(connection: Connection, space: Space, *, rows: int = QUEUED) -> int:
    """Let memories wait for a vector in a space, unless enough wait already; gives how many more."""
    async with connection.transaction():
        waiting = await _number(
            connection,
            sql.SQL("SELECT count(*) FROM (SELECT FROM unembedded WHERE space = {} LIMIT {}) w").format(
                space.key, EMBEDDED * BATCHES
            ),
        )
        if waiting == EMBEDDED * BATCHES:
            return 0
        cursor = await connection.execute(
            sql.SQL(
                "INSERT INTO unembedded SELECT {key}, id FROM episode e WHERE {vectorless}"
                " AND NOT EXISTS (SELECT FROM unembedded u WHERE u.space = {key} AND u.id = e.id)"
                " LIMIT {rows} FOR SHARE OF e ON CONFLICT DO NOTHING"
            ).format(key=space.key, vectorless=_vectorless(space), rows=rows)
        )
        return cursor.rowcount


async def switch(connection: Connection, embedder: Embedder) -> bool:
    """Let the embedder's space answer once nothing is missing in it; whether it does.

    Writers wait meanwhile: what they kept before is embedded here, what they keep afterwards waits for a
    vector in the space that answers then.

    Raises:
        EmbedderDown: Nothing is switched.
        MemoryRefused: The embedder's vectors do not fit its space; nothing is switched.
    """
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = '{SWITCH_TIMEOUT_S}s'")
            await connection.execute("LOCK TABLE space IN ACCESS EXCLUSIVE MODE")
            return await _complete(connection, embedder)
    except LockNotAvailable:
        return False


async def _complete(connection: Connection, embedder: Embedder) -> bool:
    space = embedder.space
    if await _registered(connection, space) != "building":
        return True
    await queue(connection, space)
    await embed_waiting(connection, embedder)
    if await missing(connection, space):
        return False
    await spaces.activate(connection, space)
    await connection.execute(
        "DELETE FROM unembedded WHERE space IN (SELECT key FROM space WHERE state = 'retired')"
    )
    return True


async def missing(connection: Connection, space: Space) -> int:
    """Memories that have no vector in a space."""
    return await _number(
        connection, sql.SQL("SELECT count(*) FROM episode e WHERE {}").format(_vectorless(space))
    )


async def progress(connection: Connection) -> Reembedding:
    """How far the space is that is built, or the one that answers when none is.

    Raises:
        MemoryRefused: There is no space yet.
    """
    known = {state: space for space, state in (await spaces.listed(connection)).items()}
    state = "building" if "building" in known else "active"
    if state not in known:
        raise MemoryRefused("to: there is no embedding space yet; ask again once memory is ready")
    total = await _number(
        connection,
        sql.SQL("SELECT count(*) FROM episode WHERE archived_at IS NULL AND retracted_at IS NULL"),
    )
    without = await missing(connection, known[state])
    return Reembedding(
        space=known[state].key,
        state="building" if state == "building" else "active",
        done=max(0, total - without),
        total=total,
    )


async def drop_retired(connection: Connection) -> DropRetired:
    """Remove the tables of spaces that answered before.

    A memory that has not noticed the switch refuses what it is asked; it notices within seconds.
    """
    async with connection.transaction():
        cursor = await connection.execute("DELETE FROM space WHERE state = 'retired' RETURNING key")
        keys = sorted(key for (key,) in await cursor.fetchall())
        for tables in map(Tables, keys):
            await connection.execute(sql.SQL("DROP TABLE {}, {}").format(tables.hot, tables.indexed))
    return DropRetired(spaces=tuple(keys))


async def _registered(connection: Connection, space: Space) -> str | None:
    """The state of a space; none when it is gone.

    Raises:
        MemoryRefused: Another is registered under its key.
    """
    cursor = await connection.execute(
        "SELECT provider, model, sha256, dimension, state FROM space WHERE key = %s FOR UPDATE", [space.key]
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    for name, is_registered in zip(("provider", "model", "sha256", "dimension"), row, strict=False):
        if getattr(space, name) != is_registered:
            raise MemoryRefused(
                f"{name}: {getattr(space, name)} is not the {is_registered} under which {space.key} is known"
            )
    return str(row[4])


def _vectorless(space: Space) -> sql.Composed:
    own = spaces.tables(space)
    return _VECTORLESS.format(hot=own.hot, indexed=own.indexed)


async def _number(connection: Connection, query: sql.Composable) -> int:
    row = await (await connection.execute(sql.Composed([query]))).fetchone()
    return 0 if row is None else int(row[0])
