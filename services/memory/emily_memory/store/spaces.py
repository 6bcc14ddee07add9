"""The embedding spaces of the database: which answers, and the tables of each."""

from __future__ import annotations

from typing import Any, NamedTuple

from emily_postgres import Connection
from psycopg import sql

from emily_memory.embedding.space import Space
from emily_memory.store.database import READER, SCHEMA

M = 16
EF_CONSTRUCTION = 128
WIDEST_COVERED = 1200
"""Most dimensions of a vector that an entry of a B-tree holds; `0005_covering` has the same bound."""


class Tables(NamedTuple):
    """The two tables of a space, named after its key; of every version of the schema, so without views."""

    key: str

    @property
    def hot(self) -> sql.Identifier:
        """Of new vectors, without an index of their likeness."""
        return sql.Identifier(SCHEMA, f"hot_{self.key}")

    @property
    def indexed(self) -> sql.Identifier:
        """Of the rest."""
        return sql.Identifier(SCHEMA, f"vector_{self.key}")


def tables(space: Space) -> Tables:
    """Of a space."""
    return Tables(space.key)


async def register(connection: Connection, space: Space, *, state: str = "building") -> None:
    """Make a space known with its tables; nothing happens when it is."""
    hot, indexed = tables(space).hot, tables(space).indexed
    columns = sql.SQL(
        "(id uuid NOT NULL, namespace text NOT NULL, kind text NOT NULL, actor text,"
        " occurred_at timestamptz NOT NULL, embedding halfvec({}) NOT NULL)"
    ).format(space.dimension)
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('emily memory spaces', 0))")
        known = await connection.execute("SELECT 1 FROM space WHERE key = %s", [space.key])
        if await known.fetchone() is not None:
            return
        fill = (space.key, space.provider, space.model, space.sha256, space.dimension, space.semantic, state)
        await connection.execute("INSERT INTO space VALUES (%s, %s, %s, %s, %s, %s, %s)", fill)
        for table in (hot, indexed):
            await connection.execute(sql.SQL("CREATE TABLE {} {}").format(table, columns))
            await connection.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY (id)").format(table))
            await connection.execute(
                sql.SQL("ALTER TABLE {} ALTER COLUMN embedding SET STORAGE PLAIN").format(table)
            )
            await connection.execute(sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(table))
            await connection.execute(
                sql.SQL(
                    "CREATE POLICY own_namespace ON {} FOR SELECT TO {}"
                    " USING (namespace = current_setting('emily.namespace', true))"
                ).format(table, sql.Identifier(READER))
            )
            await connection.execute(
                sql.SQL("GRANT SELECT ON {} TO {}").format(table, sql.Identifier(READER))
            )
        covered = " INCLUDE (id, embedding)" if space.dimension <= WIDEST_COVERED else ""
        for statement in (
            "CREATE INDEX ON {table} (namespace, kind)" + covered,
            "CREATE INDEX ON {table} (namespace, occurred_at)",
            "CREATE INDEX ON {table} (namespace, actor) WHERE actor IS NOT NULL",
            "CREATE INDEX ON {table} USING hnsw (embedding halfvec_cosine_ops)"
            " WITH (m = {m}, ef_construction = {ef})",
        ):
            await connection.execute(
                sql.SQL(statement).format(table=indexed, m=sql.Literal(M), ef=sql.Literal(EF_CONSTRUCTION))
            )


async def activate(connection: Connection, space: Space) -> None:
    """Let a registered space answer from now on; the one before retires."""
    async with connection.transaction():
        await connection.execute("UPDATE space SET state = 'retired' WHERE state = 'active'")
        await connection.execute("UPDATE space SET state = 'active' WHERE key = %s", [space.key])


async def listed(connection: Connection) -> dict[Space, str]:
    """Every space with its state."""
    cursor = await connection.execute(
        "SELECT provider, model, sha256, dimension, semantic, state FROM space ORDER BY key"
    )
    return {_space(row): str(row[5]) for row in await cursor.fetchall()}


async def active(connection: Connection) -> Space | None:
    """The space that answers; none before the first."""
    cursor = await connection.execute(
        "SELECT provider, model, sha256, dimension, semantic FROM space WHERE state = 'active'"
    )
    row = await cursor.fetchone()
    return None if row is None else _space(row)


def _space(row: tuple[Any, ...]) -> Space:
    provider, model, sha256, dimension, semantic = row[:5]
    return Space(provider=provider, model=model, sha256=sha256, dimension=dimension, semantic=semantic)
