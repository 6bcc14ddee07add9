"""Sums up old sessions: a memory of kind `summary` quotes the most central sentences and names its sources.

The sources stay. What a summary that is held was made of is not summed up again, and a summary that a person
forgot is not made again of the same sources. Summaries are never summed up.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import anyio.to_thread
import numpy as np
from emily_contracts import Episode, successor_id
from emily_postgres import Connection
from numpy.typing import NDArray

from emily_memory.embedding.embedder import Embedder
from emily_memory.embedding.errors import EmbedderDown
from emily_memory.store.batch import Batch, keep, require_fitting
from emily_memory.upkeep.extracting import central, sentences

KIND = "summary"
MOST_SOURCES = 500
"""Memories of one summary; a longer session has several."""

_SESSIONS = (
    "SELECT session, array_agg(id ORDER BY occurred_at, id) FROM episode e WHERE namespace = %(namespace)s"
    " AND session IS NOT NULL AND kind <> 'summary' AND archived_at IS NULL AND retracted_at IS NULL"
    " AND (valid_to IS NULL OR valid_to > %(now)s) AND (expires_at IS NULL OR expires_at > %(now)s)"
    " AND occurred_at < %(before)s"
    " AND NOT EXISTS (SELECT FROM derivation d JOIN episode s ON s.id = d.derived"
    "  WHERE d.origin = e.id AND s.kind = 'summary' AND s.archived_at IS NULL AND s.retracted_at IS NULL)"
    " GROUP BY session HAVING count(*) > %(over)s ORDER BY session"
)
_SOURCES = (
    "SELECT id, occurred_at, content, actor, importance, valence, arousal, dominance FROM episode"
    " WHERE id = ANY(%s) AND archived_at IS NULL AND retracted_at IS NULL ORDER BY occurred_at, id FOR SHARE"
)


class Summed(NamedTuple):
    """How many summaries of how many memories, and how many wait for an embedder."""

    summaries: int = 0
    summed_up: int = 0
    deaf: int = 0


class _Session(NamedTuple):
    namespace: str
    name: str
    sources: list[UUID]

    @property
    def summary(self) -> UUID:
        """Its id; the same for the same sources."""
        made_of = hashlib.blake2b(b"".join(each.bytes for each in self.sources)).hexdigest()
        return successor_id(self.sources[-1], f"summary {made_of}")


async def summarise(
    connection: Connection,
    embedder: Embedder,
    namespace: str,
    now: datetime,
    *,
    over: int,
    older_than: timedelta,
    quoted: int,
    dry_run: bool,
    until: float = math.inf,
) -> Summed:
    """What was summed up in a namespace, or would be.

    Args:
        connection: Of the writer.
        embedder: Of the space that answers.
        namespace: Of which.
        now: The time to judge by.
        over: A session has more memories than this.
        older_than: That are older than this.
        quoted: Sentences of a summary, at most.
        dry_run: Only count.
        until: Of the monotonic clock; no session is begun later.
    """
    summaries = summed_up = deaf = 0
    values = {"namespace": namespace, "now": now, "before": now - older_than, "over": over}
    rows = await (await connection.execute(_SESSIONS, values)).fetchall()
    for session in (each for name, ids in rows for each in _parts(namespace, name, ids, over)):
        if time.monotonic() >= until:
            break
        if await _is_known(connection, session.summary):
            continue
        try:
            made_of = await _sum_up(connection, embedder, session, quoted=quoted, dry_run=dry_run)
        except EmbedderDown:
            deaf += 1
            continue
        summaries += made_of > 0
        summed_up += made_of
    return Summed(summaries, summed_up, deaf)


def _parts(namespace: str, name: str, ids: list[UUID], over: int) -> Iterator[_Session]:
    for first in range(0, len(ids), MOST_SOURCES):
        part = ids[first : first + MOST_SOURCES]
        if len(part) > over:
            yield _Session(namespace, name, part)


async def _is_known(connection: Connection, summary: UUID) -> bool:
    """Whether there is or was such a summary."""
    cursor = await connection.execute(
        "SELECT FROM episode WHERE id = %(id)s UNION ALL SELECT FROM change WHERE id = %(id)s LIMIT 1",
        {"id": summary},
    )
    return await cursor.fetchone() is not None


async def _sum_up(
    connection: Connection, embedder: Embedder, session: _Session, *, quoted: int, dry_run: bool
) -> int:
    """How many memories were summed up; none when a source is gone or nothing can be quoted."""
    async with connection.transaction(force_rollback=dry_run):
        rows = await (await connection.execute(_SOURCES, [session.sources])).fetchall()
        said = sentences(row[2] for row in rows)
        if len(rows) < len(session.sources) or not said:
            return 0
        vectors = await _embed(embedder, said)
        content = "\n".join(said[each] for each in central(vectors, quoted))
        batch = Batch([session.namespace], [_summary(session, rows, content)], [{"sums_up": session.name}])
        (kept,) = await keep(connection, batch, embedder.space, await _embed(embedder, [content]))
        await connection.execute(
            "INSERT INTO derivation SELECT %s, unnest(%s::uuid[]), %s ON CONFLICT DO NOTHING",
            [kept.id, session.sources, session.namespace],
        )
    return len(rows)


async def _embed(embedder: Embedder, texts: list[str]) -> NDArray[np.float32]:
    vectors = await anyio.to_thread.run_sync(embedder.embed, texts)
    require_fitting(vectors, len(texts), embedder.space)
    return vectors


def _summary(session: _Session, rows: list[Any], content: str) -> Episode:
    """As important as the most important source, with their mean feeling, of their actor if they have one."""
    _, times, _, actors, importances, *affects = zip(*rows, strict=True)
    valence, arousal, dominance = (_mean(each) for each in affects)
    return Episode(
        id=session.summary,
        occurred_at=times[-1],
        content=content,
        kind=KIND,
        importance=max(importances),
        valence=valence,
        arousal=arousal,
        dominance=dominance,
        actor=actors[0] if len(set(actors)) == 1 else None,
        session=session.name,
        context={"sources": str(len(rows)), "summary": session.summary.hex[-12:]},
    )


def _mean(felt: tuple[float | None, ...]) -> float | None:
    known = [each for each in felt if each is not None]
    return sum(known) / len(known) if known else None
