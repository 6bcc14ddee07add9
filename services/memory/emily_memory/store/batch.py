"""Writes a batch of episodes in one transaction: COPY to a staging table, then what is new to its place."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

import numpy as np
import pgvector
from emily_contracts import Episode
from emily_postgres import Connection
from numpy.typing import NDArray
from psycopg import sql

from emily_memory.embedding.space import Space
from emily_memory.errors import MemoryRefused
from emily_memory.store.record import COLUMNS, Kept, content_hash, row
from emily_memory.store.spaces import tables

Vectors = NDArray[np.float32]

_STAGED = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))


class Batch:
    """Episodes with what is known of them.

    Attributes:
        namespaces: Of each.
        episodes: To be kept.
        sources: Where each came from.
    """

    def __init__(
        self, namespaces: Sequence[str], episodes: Sequence[Episode], sources: Sequence[dict[str, str]]
    ) -> None:
        self.namespaces = namespaces
        self.episodes = episodes
        self.sources = sources


async def keep(connection: Connection, batch: Batch, space: Space, vectors: Vectors | None) -> list[Kept]:
    """What became of each episode, once the transaction is committed.

    Args:
        connection: Of the writer.
        batch: The episodes.
        space: That answers now.
        vectors: (n, dimension) in that space; none when the embedder is down: the episodes wait for it.

    Raises:
        MemoryRefused: The vectors do not fit the space or are not finite; nothing is stored.
    """
    if vectors is not None:
        require_fitting(vectors, len(batch.episodes), space)
    async with connection.transaction():
        await _stage(connection, batch, vectors)
        cursor = await connection.execute(_move(space, embedded=vectors is not None), {"space": space.key})
        fresh = set(await cursor.fetchall())
        known = {} if len(fresh) == len(batch.episodes) else await _known(connection)
    return [
        _kept(episode, (namespace, content_hash(episode)), fresh, known)
        for namespace, episode in zip(batch.namespaces, batch.episodes, strict=True)
    ]


def _kept(
    episode: Episode, moment: tuple[str, bytes], fresh: set[tuple[Any, ...]], known: dict[Any, UUID]
) -> Kept:
    if (episode.id, *moment) in fresh:
        return Kept(episode.id, True)
    holder = known.get(moment)
    if holder is not None:
        return Kept(holder, False)
    return Kept(episode.id, False, f"episode.id: {episode.id} is another episode's; give it one of its own")


def require_fitting(vectors: Vectors, count: int, space: Space) -> None:
    """Refuse vectors of another shape or space.

    Raises:
        MemoryRefused: Names what does not fit.
    """
    if vectors.shape != (count, space.dimension):
        raise MemoryRefused(
            f"embedding: shape {vectors.shape} must be ({count}, {space.dimension}) in {space.key}"
        )
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise MemoryRefused(f"embedding[{int(finite.argmin())}]: holds NaN or infinity")
    some = vectors.any(axis=1)
    if not some.all():
        raise MemoryRefused(f"embedding[{int(some.argmin())}]: is all zeros, which is like nothing")


async def _stage(connection: Connection, batch: Batch, vectors: Vectors | None) -> None:
    halves = None if vectors is None else vectors.astype(np.float16)
    async with (
        connection.cursor(binary=True) as cursor,
        cursor.copy("COPY staging FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.set_types([*COLUMNS.values(), "halfvec"])
        for index, episode in enumerate(batch.episodes):
            values: tuple[Any, ...] = row(batch.namespaces[index], episode, batch.sources[index])
            vector = None if halves is None else pgvector.HalfVector(halves[index])
            await copy.write_row((*values, vector))


@lru_cache
def _move(space: Space, *, embedded: bool) -> bytes:
    """From staging to where it is found; gives the ids of what was new."""
    hot = tables(space).hot
    vectors = sql.SQL(
        "INSERT INTO {} SELECT DISTINCT ON (id) id, namespace, kind, actor, occurred_at, embedding"
        " FROM staging JOIN fresh USING (id, namespace, content_hash)"
    ).format(hot)
    waiting = sql.SQL("INSERT INTO unembedded SELECT %(space)s, id FROM fresh")
    composed = sql.SQL(
        "WITH fresh AS (INSERT INTO episode ({columns})"
        " SELECT DISTINCT ON (namespace, content_hash) {columns} FROM staging"
        " ON CONFLICT DO NOTHING RETURNING id, namespace, content_hash),"
        " found AS ({vectors}),"
        " elsewhere AS (INSERT INTO unembedded SELECT key, id FROM fresh, space"
        "  WHERE state <> 'retired' AND key <> %(space)s)"
        " SELECT id, namespace, content_hash FROM fresh"
    )
    return composed.format(columns=_STAGED, vectors=vectors if embedded else waiting).as_bytes()


async def _known(connection: Connection) -> dict[Any, UUID]:
    """The id that holds a moment, by namespace and hash: a believed one, or the same one, retracted."""
    cursor = await connection.execute(
        "SELECT s.namespace, s.content_hash, e.id FROM staging s JOIN episode e"
        " ON e.id = s.id AND e.namespace = s.namespace AND e.content_hash = s.content_hash"
        " UNION ALL"
        " SELECT s.namespace, s.content_hash, e.id FROM staging s JOIN episode e"
        " ON e.namespace = s.namespace AND e.content_hash = s.content_hash AND e.retracted_at IS NULL"
    )
    return {(namespace, moment): identity for namespace, moment, identity in await cursor.fetchall()}
