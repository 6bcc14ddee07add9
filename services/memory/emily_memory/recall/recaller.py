"""Recall: which way to the candidates, and the certainty that as many come back as were asked for."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pgvector
from emily_contracts import Components, Episode, RecallRequest, Weights
from emily_postgres import Connection
from numpy.typing import NDArray
from psycopg import sql

from emily_memory.embedding.space import Space
from emily_memory.recall.lexicon import LOOKED_FOR, NO_WORDS, Words, weigh
from emily_memory.recall.selection import Conditions, conditions
from emily_memory.recall.statement import every, plain, scored
from emily_memory.store.database import Database
from emily_memory.store.spaces import tables

EXACT_UP_TO = 6000
"""Selected vectors that are looked at one by one; beyond, the index is walked."""
FEWEST_CANDIDATES = 40
CANDIDATES_PER_ANSWER = 4
SPARE = 6
"""Nearest episodes looked at beyond those asked for, since some may be archived."""
COUNT_HOLDS_S = 5.0
MOST_COUNTS = 1024

_COMPONENTS = ("dense", "lexical", "affect", "recency", "importance", "use")


class Sought(NamedTuple):
    """What is looked for, and where.

    Attributes:
        request: As it was asked.
        weights: Of the components.
        space: That answers.
        vector: (dimension,) of the text in that space; none when there is no embedder.
        exact: Whether every selected episode is looked at, whatever it costs.
    """

    request: RecallRequest
    weights: Weights
    space: Space
    vector: NDArray[np.float32] | None
    exact: bool = False


class Recalled(NamedTuple):
    """Episodes, best first.

    Attributes:
        path: exact, hnsw, lexical, or every when there was nothing to look for; with `+every` when the
            rest was looked for one by one.
        exhausted: Fewer than asked for, because no more exist.
    """

    episodes: tuple[Episode, ...]
    path: str
    exhausted: bool


class Recaller:
    """Recalls from one database.

    Counts of selections are remembered for a few seconds: they choose the way and nothing else.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: OrderedDict[Any, tuple[float, int]] = OrderedDict()

    async def recall(self, sought: Sought) -> Recalled:
        """The best episodes of a selection; as many as asked for, or all that exist."""
        request, weights = sought.request, sought.weights
        selected, chosen = conditions(request.namespace, request)
        async with self._database.reading(request.namespace) as connection:
            few = sought.exact or (
                sought.vector is not None and await self._few(connection, selected, chosen, sought.space)
            )
            if weights.plain and sought.vector is not None:
                statement = plain(tables(sought.space), selected, exact=few)
                values = chosen | _plain_values(sought) | {"candidates": request.limit + SPARE}
                rows = await _rows(connection, statement, values)
                if len(rows) == request.limit:
                    found = tuple(_episode(row[:-1], 1.0 - row[-1], None) for row in rows)
                    return Recalled(found, "exact" if few else "hnsw", exhausted=False)
            return await _weighed(connection, sought, selected, chosen, few)

    async def _few(
        self, connection: Connection, selected: Conditions, chosen: dict[str, Any], space: Space
    ) -> bool:
        """Whether a selection is small enough to be looked at one by one."""
        key = (space.key, *((name, repr(value)) for name, value in chosen.items()))
        now = time.monotonic()
        at, count = self._counts.get(key, (-COUNT_HOLDS_S, 0))
        if now - at >= COUNT_HOLDS_S:
            count = await _count(connection, selected, chosen, space)
            self._counts[key] = (now, count)
            self._counts.move_to_end(key)
            if len(self._counts) > MOST_COUNTS:
                self._counts.popitem(last=False)
        return count <= EXACT_UP_TO


async def _weighed(
    connection: Connection, sought: Sought, selected: Conditions, chosen: dict[str, Any], few: bool
) -> Recalled:
    request, weights = sought.request, sought.weights
    held = None if sought.vector is None else tables(sought.space)
    query = NO_WORDS
    if weights.lexical and request.text.strip():
        query = await weigh(connection, request.namespace, request.text)
    values = chosen | _plain_values(sought) | _weighed_values(sought, query)
    words = bool(query.any_of)
    affect = any(each is not None for each in (request.valence, request.arousal, request.dominance))
    path = ("lexical" if words else "every") if held is None else "exact" if few else "hnsw"
    rows: Sequence[Any] = []
    if (held is not None or words) and not sought.exact and not weights.plain:
        statement = scored(held, selected, exact=few, words=words, affect=affect)
        rows = await _rows(connection, statement, values)
    if len(rows) < request.limit:
        path = path if few or held is None else f"{path}+every"
        rows = await _rows(connection, every(held, selected, words=words, affect=affect), values)
    found = tuple(_scored(row, explain=request.explain) for row in rows)
    return Recalled(found, path, exhausted=len(rows) < request.limit)


def _plain_values(sought: Sought) -> dict[str, Any]:
    limit = sought.request.limit
    return {
        "vector": None if sought.vector is None else pgvector.HalfVector(sought.vector),
        "limit": limit,
        "candidates": max(FEWEST_CANDIDATES, CANDIDATES_PER_ANSWER * limit),
    }


def _weighed_values(sought: Sought, query: Words) -> dict[str, Any]:
    request, weights = sought.request, sought.weights
    return {
        "lexemes": query.lexemes,
        "idf": query.idf,
        "any_of": query.any_of,
        "mean_length": query.mean_length,
        "looked_for": LOOKED_FOR,
        "present": request.present,
        "valence": request.valence,
        "arousal": request.arousal,
        "dominance": request.dominance,
        "recency_s": 86_400 * weights.recency_days,
        **{f"w_{name}": getattr(weights, name) for name in _COMPONENTS},
    }


async def _count(connection: Connection, selected: Conditions, chosen: dict[str, Any], space: Space) -> int:
    """How many are selected, counted no further than the bound."""
    if selected.beyond_vectors:
        query = sql.SQL("SELECT 1 FROM episode e WHERE {} LIMIT %(bound)s").format(selected.of_episode())
    else:
        query = sql.SQL("SELECT 1 FROM {} v WHERE {} LIMIT %(bound)s").format(
            tables(space).indexed, selected.of_vector("v")
        )
    cursor = await connection.execute(
        sql.SQL("SELECT count(*) FROM ({}) few").format(query), chosen | {"bound": EXACT_UP_TO + 1}
    )
    row = await cursor.fetchone()
    return 0 if row is None else int(row[0])


async def _rows(connection: Connection, statement: bytes, values: dict[str, Any]) -> Sequence[Any]:
    cursor = connection.cursor(binary=True)
    await cursor.execute(statement, values, prepare=True)
    return await cursor.fetchall()


def _scored(row: Any, *, explain: bool) -> Episode:
    *columns, score, dense, lexical, affect, recency, use = row
    components = None
    if explain:
        components = Components(
            dense=dense, lexical=lexical, affect=affect, recency=recency, importance=columns[4], use=use
        )
    return _episode(columns, score, components)


def _episode(columns: Sequence[Any], score: float, components: Components | None) -> Episode:
    """From the columns of `statement.EPISODE`."""
    identity, occurred_at, content, kind, importance, valence, arousal, context, *rest = columns
    dominance, actor, session, valid_from, valid_to, expires_at, pinned = rest
    return Episode(
        id=identity,
        occurred_at=occurred_at,
        content=content,
        kind=kind,
        importance=importance,
        valence=valence,
        arousal=arousal,
        context=context,
        score=score,
        dominance=dominance,
        actor=actor,
        session=session,
        valid_from=valid_from,
        valid_to=valid_to,
        expires_at=expires_at,
        pinned=pinned,
        components=components,
    )
