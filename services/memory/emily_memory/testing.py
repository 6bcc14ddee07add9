"""For tests: a namespace to put episodes into and look into its tables, and a made-up next version."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from emily_contracts import Episode, uuid7
from emily_postgres.migration import Migration, Phase, spoken, views_of
from psycopg import sql

from emily_memory.embedding.embedder import Embedder
from emily_memory.store.batch import Batch, keep
from emily_memory.store.database import SCHEMA, Database, migrations
from emily_memory.store.spaces import tables


class Home:
    """One namespace of a real database.

    Attributes:
        database: Where it is.
        embedder: Of the active space.
        namespace: Its name.
    """

    def __init__(self, database: Database, embedder: Embedder, namespace: str = "home") -> None:
        self.database = database
        self.embedder = embedder
        self.namespace = namespace

    async def remember(self, *episodes: Episode, embedded: bool = True) -> None:
        """Keep episodes, with vectors or waiting for them."""
        found = self.embedder.embed([each.content for each in episodes]) if embedded else None
        batch = Batch([self.namespace] * len(episodes), episodes, [{}] * len(episodes))
        async with self.database.writer.connection() as connection:
            await keep(connection, batch, self.embedder.space, found)

    async def derive(self, derived: Episode, *origins: Episode) -> None:
        """Say what a summary was made of."""
        async with self.database.writer.connection() as connection:
            for origin in origins:
                await connection.execute(
                    "INSERT INTO derivation VALUES (%s, %s, %s)", [derived.id, origin.id, self.namespace]
                )

    async def use(self, episode: Episode, uses: int) -> None:
        """Count uses of an episode."""
        async with self.database.writer.connection() as connection:
            await connection.execute(
                "INSERT INTO usage VALUES (%s, %s, %s, now())", [episode.id, self.namespace, uses]
            )

    async def rows(self, query: str, *values: Any) -> list[Any]:
        """What the owner of the tables sees, of all namespaces."""
        async with self.database.writer.connection() as connection:
            cursor = await connection.execute(query.encode(), values or None)
            found: list[Any] = await cursor.fetchall() if cursor.description else []
            return found

    async def vectors(self) -> dict[UUID, str]:
        """Who has a vector in the embedder's space, and in which of its tables."""
        held = tables(self.embedder.space)
        query = sql.SQL("SELECT id, 'hot' FROM {} UNION ALL SELECT id, 'indexed' FROM {}")
        return dict(await self.rows(query.format(held.hot, held.indexed).as_string()))

    async def waiting(self) -> set[UUID]:
        """Who waits for a vector."""
        return {identity for (identity,) in await self.rows("SELECT id FROM unembedded")}

    def says(self, memory: UUID | None = None, **fields: Any) -> dict[str, Any]:
        """Fields of a request that a person makes now."""
        at = datetime.now(UTC)
        identity = uuid7(at)
        said = {"id": identity, "at": at, "stimulus_id": identity, "namespace": self.namespace, **fields}
        return said if memory is None else said | {"memory_id": memory}


def next_version(folder: Path) -> tuple[Migration, ...]:
    """All migrations and, after them, the made-up ones of a folder.

    Args:
        folder: Has `expand.sql` with its `views.sql`, `backfill.sql` and `contract.sql`; in them stands
            `memory_current` for the views that this version speaks.
    """
    current = views_of(SCHEMA, spoken(migrations()))

    def text(name: str) -> str:
        return (folder / f"{name}.sql").read_text().replace(f"{SCHEMA}_current", current)

    following = (
        Migration(
            number=number,
            name=folder.name,
            phase=phase,
            statements=text(phase.value),
            views=text("views") if phase is Phase.EXPAND else None,
        )
        for number, phase in enumerate(Phase, start=len(migrations()) + 1)
    )
    return (*migrations(), *following)
