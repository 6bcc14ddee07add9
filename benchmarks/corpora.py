"""What memory is measured on: glosses of WordNet and clustered points, kept and indexed."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
from emily_contracts import Episode, uuid7
from emily_memory.embedding.minilm import MiniLM
from emily_memory.store import spaces
from emily_memory.store.batch import Batch, keep
from emily_memory.store.database import Database
from emily_memory.store.word_counts import count_words
from emily_memory.upkeep.tiering import drain
from numpy.typing import NDArray
from psycopg import sql

EPISODES = 50_000
QUERIES = 400
LIMIT = 10
SHARES = {"10 %": 0.1, "1 %": 0.01, "0.1 %": 0.001, "0.01 %": 0.0001}
NAMESPACE = "benchmark"
CLUSTERED = "clustered"
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
SPACE = MiniLM.space

Vectors = NDArray[np.float32]


class Corpus(NamedTuple):
    """Texts with vectors: the last `QUERIES` are asked, the others remembered."""

    name: str
    texts: list[str]
    vectors: Vectors

    def nearest(self, query: int, among: NDArray[np.intp]) -> set[str]:
        """The exact answer, in half precision as it is stored."""
        stored = self.vectors[among].astype(np.float16).astype(np.float32)
        likeness = stored @ self.vectors[EPISODES + query] / np.linalg.norm(stored, axis=1)
        return {self.texts[among[place]] for place in np.argsort(-likeness)[:LIMIT]}


def glosses(folder: Path, kept: Path) -> Corpus:
    """WordNet's, embedded by the default embedder.

    Raises:
        SystemExit: WordNet is not there.
    """
    if not kept.exists():
        if not (folder / "data.noun").exists():
            raise SystemExit(
                f"{folder} holds no WordNet; apt-get install wordnet-base, or name it by --wordnet"
            )
        found: dict[str, None] = {}
        for part in ("noun", "verb", "adj", "adv"):
            for line in (folder / f"data.{part}").read_text(errors="replace").splitlines():
                if not line.startswith("  "):
                    found[line.partition("| ")[2].strip()] = None
        texts = list(found)
        np.random.default_rng(0).shuffle(texts)
        texts = texts[: EPISODES + QUERIES]
        embedder = MiniLM(threads=os.cpu_count() or 1)
        vectors = np.concatenate([embedder.embed(texts[at : at + 512]) for at in range(0, len(texts), 512)])
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, texts=np.array(texts), vectors=vectors)
    with np.load(kept) as archive:
        return Corpus(NAMESPACE, archive["texts"].tolist(), archive["vectors"])


def clustered() -> Corpus:
    """Noise around 200 centres."""
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(200, SPACE.dimension))
    count = EPISODES + QUERIES
    drawn = centres[rng.integers(200, size=count)] + 0.6 * rng.normal(size=(count, SPACE.dimension))
    vectors = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return Corpus(CLUSTERED, [f"point {number}" for number in range(count)], vectors)


def kinds() -> list[str]:
    """Of each episode: each share is one kind, the others are the rest."""
    found = ["rest"] * EPISODES
    places = iter(np.random.default_rng(2).permutation(EPISODES).tolist())
    for name, share in SHARES.items():
        for _ in range(round(share * EPISODES)):
            found[next(places)] = kind_of(name)
    return found


def kind_of(share: str) -> str:
    return "share-" + share.replace(" %", "")


def episode(corpus: Corpus, number: int, kind: str) -> Episode:
    """One of the corpus."""
    at = BEGINNING + timedelta(seconds=number)
    return Episode(
        id=uuid7(at, number.to_bytes(4) + corpus.name[:6].encode()),
        occurred_at=at,
        content=corpus.texts[number],
        kind=kind,
    )


async def fill(database: Database, corpora: Sequence[Corpus]) -> float:
    """Everything into the index; gives the rows a second of keeping it.

    The index is built when all is there, which takes seconds where growing it takes minutes.
    """
    async with database.writer.connection() as connection:
        await connection.execute("SET statement_timeout = 0")
        await connection.execute("SET maintenance_work_mem = '512MB'")
        await spaces.register(connection, SPACE, state="active")
        table = spaces.tables(SPACE).indexed
        cursor = await connection.execute(
            "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'hnsw'"
        )
        for (index,) in await cursor.fetchall():
            await connection.execute(f"DROP INDEX {index}".encode())
        seconds = 0.0
        for corpus in corpora:
            for at in range(0, EPISODES, 1000):
                episodes = [
                    episode(corpus, number, kind)
                    for number, kind in zip(range(at, at + 1000), kinds()[at : at + 1000], strict=True)
                ]
                batch = Batch([corpus.name] * 1000, episodes, [{}] * 1000)
                begin = time.perf_counter()
                await keep(connection, batch, SPACE, corpus.vectors[at : at + 1000])
                seconds += time.perf_counter() - begin
        while await drain(connection, SPACE, rows=10_000):
            pass
        await connection.execute(
            sql.SQL(
                "CREATE INDEX ON {} USING hnsw (embedding halfvec_cosine_ops)"
                " WITH (m = {}, ef_construction = {})"
            ).format(table, sql.Literal(spaces.M), sql.Literal(spaces.EF_CONSTRUCTION))
        )
        await connection.execute("UPDATE episode SET recorded_at = recorded_at - interval '1 minute'")
        while await count_words(connection):
            pass
        await connection.execute("VACUUM ANALYZE")
    return len(corpora) * EPISODES / seconds
