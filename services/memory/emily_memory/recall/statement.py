"""The one SQL statement of a recall: candidates by meaning and by words, joined, scored, cut.

Statements are composed once for each shape of a selection, and bytes from then on.
"""

from __future__ import annotations

from functools import lru_cache
from typing import LiteralString

from psycopg import sql

from emily_memory.recall.lexicon import K1, B
from emily_memory.recall.selection import Conditions
from emily_memory.store.spaces import Tables

EPISODE = (
    "id, occurred_at, content, kind, importance, valence, arousal, context, dominance, actor, session,"
    " valid_from, valid_to, expires_at, pinned"
)
"""Columns of an episode, in the order of the contract's fields."""
SHAPES = 512
"""Statements of each kind that are remembered."""

_NO_WORDS = sql.SQL("SELECT NULL::uuid AS id, NULL::float8 AS bm25 WHERE false")
_QUALIFIED = ", ".join(f"e.{column.strip()}" for column in EPISODE.split(","))


def _sql(text: str) -> sql.SQL:
    return sql.SQL(text)


def nearest(tables: Tables, conditions: Conditions, *, exact: bool) -> sql.Composed:
    """Ids and cosine distances of the `candidates` nearest vectors of a selection, in both tables.

    Args:
        exact: Whether every selected vector is looked at; else the index is walked.
    """
    walk = (
        "(SELECT id, embedding <=> %(vector)s AS distance FROM {table} v WHERE {where}"
        " ORDER BY embedding <=> %(vector)s LIMIT %(candidates)s)"
    )
    scan = (
        "(SELECT id, distance FROM (SELECT id, embedding <=> %(vector)s AS distance FROM {table} v"
        " WHERE {where} OFFSET 0) every ORDER BY distance LIMIT %(candidates)s)"
    )
    leg = _sql(scan if exact else walk)
    where = conditions.of_vector("v")
    return _sql(
        "SELECT id, distance FROM ({indexed} UNION ALL {hot}) near ORDER BY distance LIMIT %(candidates)s"
    ).format(
        indexed=leg.format(table=tables.indexed, where=where),
        hot=leg.format(table=tables.hot, where=where),
    )


@lru_cache(SHAPES)
def plain(tables: Tables, conditions: Conditions, *, exact: bool) -> bytes:
    """The nearest episodes alone, best first, with their distance."""
    return (
        _sql(
            "SELECT {columns}, distance FROM ({near}) near JOIN episode e USING (id)"
            " WHERE {where} ORDER BY distance, e.id LIMIT %(limit)s"
        )
        .format(
            columns=_sql(_QUALIFIED),
            near=nearest(tables, conditions, exact=exact),
            where=conditions.of_episode(),
        )
        .as_bytes()
    )


@lru_cache(SHAPES)
def scored(tables: Tables | None, conditions: Conditions, *, exact: bool, words: bool, affect: bool) -> bytes:
    """Episodes with their score and its components, best first.

    Args:
        tables: Of the space that answers; none when no embedder does.
        conditions: Of the selection.
        exact: Whether every selected vector is looked at.
        words: Whether the query has words to look for.
        affect: Whether the present feeling is known.
    """
    dense = (
        nearest(tables, conditions, exact=exact)
        if tables is not None
        else _sql("SELECT NULL::uuid AS id, NULL::float8 AS distance WHERE false")
    )
    found = _sql(
        "dense AS MATERIALIZED ({dense}), lexical AS MATERIALIZED ({lexical}),"
        " candidate AS (SELECT {columns}, {distance} AS distance, c.bm25"
        " FROM (SELECT id, min(distance) AS distance, max(bm25) AS bm25 FROM (SELECT id, distance,"
        "  NULL::float8 AS bm25 FROM dense UNION ALL SELECT id, NULL, bm25 FROM lexical) u GROUP BY id) c"
        if words
        else "candidate AS (SELECT {columns}, c.distance, NULL::float8 AS bm25 FROM ({dense}) c"
    ).format(
        dense=dense,
        lexical=_lexical(conditions),
        columns=_sql(_QUALIFIED),
        distance=_distance(tables, near=True),
    )
    return (
        _sql(
            "WITH {found} CROSS JOIN LATERAL (SELECT * FROM episode e"
            " WHERE e.id = c.id AND {where} LIMIT 1) e {vectors}) {score}"
        )
        .format(
            found=found,
            where=conditions.of_episode(),
            vectors=_vectors(tables, only_missing=True) if words else _sql(""),
            score=_score(affect),
        )
        .as_bytes()
    )


@lru_cache(SHAPES)
def every(tables: Tables | None, conditions: Conditions, *, words: bool, affect: bool) -> bytes:
    """Like `scored`, over every episode of the selection, those without a vector included."""
    return (
        _sql(
            "WITH lexical AS MATERIALIZED ({lexical}),"
            " candidate AS (SELECT {columns}, {distance} AS distance, l.bm25 FROM episode e"
            " LEFT JOIN lexical l USING (id) {vectors} WHERE {where}) {score}"
        )
        .format(
            lexical=_lexical(conditions) if words else _NO_WORDS,
            columns=_sql(_QUALIFIED),
            distance=_distance(tables, near=False),
            vectors=_vectors(tables, only_missing=False),
            where=conditions.of_episode(),
            score=_score(affect),
        )
        .as_bytes()
    )


def _lexical(conditions: Conditions) -> sql.Composed:
    return _sql(
        "SELECT id,"
        " sum(idf * tf * {saturated} / (tf + {k1} * ({rest} + {b} * size / %(mean_length)s))) AS bm25"
        " FROM (SELECT e.id, e.words, length(e.words) AS size FROM episode e"
        "  WHERE e.words @@ %(any_of)s::tsquery AND {where} LIMIT %(looked_for)s) m"
        " CROSS JOIN LATERAL (SELECT lexeme, cardinality(positions) AS tf FROM unnest(m.words)) u"
        " JOIN unnest(%(lexemes)s::text[], %(idf)s::float8[]) AS q (lexeme, idf) USING (lexeme)"
        " GROUP BY id ORDER BY bm25 DESC, id LIMIT %(candidates)s"
    ).format(
        saturated=sql.Literal(K1 + 1),
        k1=sql.Literal(K1),
        rest=sql.Literal(1 - B),
        b=sql.Literal(B),
        where=conditions.of_episode(),
    )


def _vectors(tables: Tables | None, *, only_missing: bool) -> sql.Composable:
    """Where to find the vectors of episodes that were found by their words."""
    if tables is None:
        return _sql("")
    missing = _sql("c.distance IS NULL AND " if only_missing else "")
    return _sql(
        "LEFT JOIN {indexed} vi ON {missing}vi.id = e.id LEFT JOIN {hot} vh ON {missing}vh.id = e.id"
    ).format(indexed=tables.indexed, hot=tables.hot, missing=missing)


def _distance(tables: Tables | None, *, near: bool) -> sql.SQL:
    if tables is None:
        return _sql("NULL::float8")
    found = "c.distance, " if near else ""
    return _sql(f"coalesce({found}vi.embedding <=> %(vector)s, vh.embedding <=> %(vector)s)")


_AFFECT: LiteralString = (
    "1 - sqrt((coalesce(((valence - %(valence)s::float8) / 2) ^ 2, 0)"
    " + coalesce((arousal - %(arousal)s::float8) ^ 2, 0)"
    " + coalesce(((dominance - %(dominance)s::float8) / 2) ^ 2, 0))"
    " / nullif(num_nonnulls(valence - %(valence)s::float8, arousal - %(arousal)s::float8,"
    " dominance - %(dominance)s::float8), 0))"
)
"""1 minus the Euclidean distance over the dimensions that both sides know; null when there are none."""


def _score(affect: bool) -> sql.Composed:
    """Components, each in 0..1; likeness of meaning and of words are scaled over the candidates."""
    return _sql(
        ", component AS (SELECT c.*,"
        " (max(distance) OVER () - distance)"
        " / nullif(max(distance) OVER () - min(distance) OVER (), 0) AS dense,"
        " coalesce(bm25 / nullif(max(bm25) OVER (), 0), 0) AS lexical,"
        " {affect} AS affect,"
        " exp(-least(500, greatest(0, extract(epoch FROM coalesce(%(present)s::timestamptz, now())"
        "  - greatest(occurred_at, CASE WHEN %(w_use)s::float8 > 0 THEN used_at END))"
        "  / %(recency_s)s))) AS recency,"
        " coalesce(ln(1 + uses) / (1 + ln(1 + uses)), 0) AS use"
        " FROM candidate c LEFT JOIN LATERAL (SELECT uses, used_at FROM usage u WHERE u.id = c.id LIMIT 1) u"
        " ON true)"
        " SELECT {columns}, %(w_dense)s * coalesce(dense, CASE WHEN distance IS NULL THEN 0 ELSE 1 END)"
        " + %(w_lexical)s * lexical + %(w_affect)s * coalesce(affect, 0.5) + %(w_recency)s * recency"
        " + %(w_importance)s * importance + %(w_use)s * use AS score,"
        " coalesce(dense, CASE WHEN distance IS NULL THEN NULL ELSE 1 END), lexical, affect, recency, use"
        " FROM component ORDER BY score DESC, id LIMIT %(limit)s"
    ).format(affect=_sql(_AFFECT if affect else "NULL::float8"), columns=_sql(EPISODE))
