"""How fast memory takes episodes in: batches against COPY, all connections at once, and one at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import numpy as np
import pgvector
from corpora import SPACE, Corpus, Vectors
from emily_contracts import Episode, uuid7
from emily_memory.store import spaces
from emily_memory.store.batch import Batch, keep
from emily_memory.store.database import Database
from emily_memory.store.record import COLUMNS, row
from emily_memory.store.writer import Writer
from psycopg import sql

WRITERS = 6


async def writing(database: Database, corpus: Corpus) -> dict[str, Any]:
    """Rows a second at batch 100, and those of COPY into a table of the same columns and indices."""
    total, batch = 20_000, 100
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(batch, SPACE.dimension)).astype(np.float32)
    halves = [pgvector.HalfVector(vector) for vector in vectors.astype(np.float16)]
    started = datetime.now(UTC)

    def episodes(round_: int, name: str) -> list[Episode]:
        ats = [started + timedelta(microseconds=round_ * batch + number) for number in range(batch)]
        return [
            Episode(id=uuid7(at), occurred_at=at, content=f"{name} {corpus.texts[number]} {at.isoformat()}")
            for number, at in enumerate(ats)
        ]

    async with database.writer.connection() as connection:
        copies: list[sql.Composed] = [
            sql.SQL("COPY raw ({}) FROM STDIN (FORMAT binary)").format(
                sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
            ),
            sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.Identifier("raw_hot")),
        ]
        await connection.execute("CREATE TABLE raw (LIKE memory.episode INCLUDING ALL)")
        await connection.execute(
            sql.SQL("CREATE TABLE raw_hot (LIKE {} INCLUDING DEFAULTS)").format(spaces.tables(SPACE).hot)
        )
        rounds: dict[str, list[float]] = {"raw": [], "ours": []}
        for round_ in range(total // batch):
            given = episodes(round_, "raw")
            begin = time.perf_counter()
            async with connection.transaction(), connection.cursor(binary=True) as cursor:
                async with cursor.copy(copies[0]) as copy:
                    copy.set_types(list(COLUMNS.values()))
                    for each in given:
                        await copy.write_row(row("raw", each, {}))
                async with cursor.copy(copies[1]) as copy:
                    copy.set_types(["uuid", "text", "text", "text", "timestamptz", "halfvec"])
                    for each, half in zip(given, halves, strict=True):
                        await copy.write_row((each.id, "raw", each.kind, None, each.occurred_at, half))
            rounds["raw"].append(time.perf_counter() - begin)
            given = episodes(round_, "ours")
            begin = time.perf_counter()
            await keep(connection, Batch(["raw"] * batch, given, [{}] * batch), SPACE, vectors)
            rounds["ours"].append(time.perf_counter() - begin)
        await connection.execute("DROP TABLE raw, raw_hot")
    side_by_side = {name: batch / float(np.median(each)) for name, each in rounds.items()}
    return {
        "rows_per_second": side_by_side,
        "parallel_rows_per_second": await _parallel(database, episodes, vectors),
    }


async def _parallel(
    database: Database, episodes: Callable[[int, str], list[Episode]], vectors: Vectors
) -> float:
    """Durable rows a second at batch 100 over all of the writer's connections at once."""
    rounds = 300
    given = [episodes(1000 + round_, "parallel") for round_ in range(rounds)]

    async def write() -> None:
        async with database.writer.connection() as connection:
            while given:
                batch = given.pop()
                await keep(connection, Batch(["raw"] * len(batch), batch, [{}] * len(batch)), SPACE, vectors)

    begin = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(WRITERS):
            tasks.start_soon(write)
    return rounds * len(vectors) / (time.perf_counter() - begin)


class _Known:
    """An embedder whose vectors are known beforehand, so that the writer alone is measured."""

    space = SPACE

    def embed(self, texts: Sequence[str]) -> Vectors:
        return np.ones((len(texts), SPACE.dimension), dtype=np.float32)

    def embed_query(self, text: str) -> Vectors:
        return np.ones(SPACE.dimension, dtype=np.float32)


async def acknowledging(database: Database) -> dict[str, float]:
    """Milliseconds from storing to the acknowledgement at 1,000 a second."""
    rate, seconds = 1000, 10
    writer = Writer(database, _Known)
    took: list[float] = []

    async def store(number: int) -> None:
        at = datetime.now(UTC)
        begin = time.perf_counter()
        await writer.store("paced", Episode(id=uuid7(at), occurred_at=at, content=f"moment {number}"), {})
        took.append(time.perf_counter() - begin)

    async with anyio.create_task_group() as background:
        background.start_soon(writer.run)
        async with anyio.create_task_group() as tasks:
            start = time.perf_counter()
            for number in range(rate * seconds):
                if (pause := start + number / rate - time.perf_counter()) > 0:
                    await anyio.sleep(pause)
                tasks.start_soon(store, number)
        writer.close()
    return {"p50_ms": 1e3 * float(np.median(took)), "p99_ms": 1e3 * float(np.quantile(took, 0.99))}
