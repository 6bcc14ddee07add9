"""mem0's PGVector class on the same server and vectors: how many rows come back under a filter."""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import psycopg
from mem0.vector_stores.pgvector import PGVector

EPISODES = 50_000
QUERIES = 100
LIMIT = 10
BATCH = 1000


def main(url: str, kept: str, asked: str) -> None:
    """Print one line of JSON."""
    given = json.loads(Path(asked).read_text())
    with np.load(kept) as archive:
        vectors = archive["vectors"]
    parts = urlsplit(url)
    host = parse_qs(parts.query)["host"][0]
    store = PGVector(
        dbname="postgres",
        collection_name="mem0",
        embedding_model_dims=vectors.shape[1],
        user="postgres",
        password="",
        host=host,
        port=5432,
        diskann=False,
        hnsw=True,
        connection_string=f"host={host} user=postgres dbname=postgres",
    )
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(EPISODES)]
    for at in range(0, EPISODES, BATCH):
        payloads = [{"kind": kind} for kind in given["kinds"][at : at + BATCH]]
        store.insert(vectors[at : at + BATCH].tolist(), payloads, ids[at : at + BATCH])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE mem0")
    results = {}
    for name, kind in given["shares"].items():
        rows, seconds = [], []
        for query in range(QUERIES):
            vector = vectors[EPISODES + query].tolist()
            begin = time.perf_counter()
            found = store.search("", vector, top_k=LIMIT, filters={"kind": kind})
            seconds.append(time.perf_counter() - begin)
            rows.append(len(found))
        results[name] = {
            "rows_of_10": float(np.mean(rows)),
            "p50_ms": 1e3 * float(np.median(seconds)),
            "p99_ms": 1e3 * float(np.quantile(seconds, 0.99)),
        }
    print(json.dumps({"mem0ai": version("mem0ai"), **results}))


if __name__ == "__main__":
    main(*sys.argv[1:])
