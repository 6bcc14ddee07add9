"""What is forgotten without anybody asking: what expired, exceeds a budget, or was archived for long.

A memory is archived first, without its vectors, and can be restored; it is purged after a grace. What is
pinned is never archived here, so a pinned memory that is archived was forgotten by a person, and is purged
like any other. A summary quotes what shall not be said any more once a source was corrected, or forgotten by
a person: it is archived before that source is purged, and consolidation makes another. Each batch is one
transaction: after a kill, the next run does the rest.

Beyond a budget the least worth go first, worth = value x freshness:

    value     = (importance + ln(1 + uses) / (1 + ln(1 + uses))) / 2        in [0, 1)
    freshness = (1 + exp(-age / 30 days)) / 2                               in (1/2, 1]

where age is the time since it happened or was last recalled: being old costs at most half.
"""

from __future__ import annotations

import math
import time
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from emily_contracts.upkeeping import Tidying
from emily_postgres import Connection
from psycopg import sql

from emily_memory.store import placing, word_counts
from emily_memory.store.database import Database

ROWS = 500
"""Memories of one transaction."""
FRESH_DAYS = 30.0

WORTH = sql.SQL(
    "(importance + coalesce(ln(1 + uses) / (1 + ln(1 + uses)), 0)) / 2"
    " * (1 + exp(-least(500, greatest(0, extract(epoch FROM %(now)s - greatest(occurred_at, used_at)))"
    " / (86400 * {fresh_days})))) / 2"
).format(fresh_days=sql.Literal(FRESH_DAYS))
"""Of an episode with its usage."""

_OF = sql.SQL("(%(namespace)s::text IS NULL OR namespace = %(namespace)s)")
_HELD = sql.SQL("archived_at IS NULL AND retracted_at IS NULL AND {}").format(_OF)
_QUOTES = sql.SQL(
    "(kind = 'summary' AND NOT pinned AND EXISTS (SELECT FROM derivation d JOIN episode o ON o.id = d.origin"
    " WHERE d.derived = {summary}.id AND (o.retracted_at IS NOT NULL OR o.archived_at IS NOT NULL AND"
    "  (SELECT did FROM change c WHERE c.id = o.id AND did IN ('forgotten', 'restored')"
    "  ORDER BY at DESC, number DESC LIMIT 1) = 'forgotten')))"
)
_OUTDATED = sql.SQL("{} AND {}").format(_HELD, _QUOTES.format(summary=sql.Identifier("e")))
_EXPIRED = sql.SQL("{} AND NOT pinned AND expires_at <= %(now)s AND NOT {}").format(
    _HELD, _QUOTES.format(summary=sql.Identifier("e"))
)
_OVER = sql.SQL("archived_at < %(now)s - %(purge_after)s AND {}").format(_OF)
_STAYS = sql.SQL("{} AND (pinned OR expires_at IS NULL OR expires_at > %(now)s) AND NOT {}").format(
    _HELD, _QUOTES.format(summary=sql.Identifier("e"))
)
_CROWDED = sql.SQL(
    "SELECT namespace, count(*) - %(budget)s::bigint AS excess, count(*) FILTER (WHERE NOT pinned) AS loose"
    " FROM episode e WHERE {} GROUP BY namespace HAVING count(*) > %(budget)s::bigint"
).format(_STAYS)
_GONE = sql.SQL(
    "gone (id) AS (SELECT id FROM lapsed UNION SELECT e.id FROM gone g JOIN episode e"
    " ON e.superseded_by = g.id WHERE e.retracted_at IS NOT NULL AND e.archived_at IS NULL)"
)

_DUE = sql.SQL(
    "WITH RECURSIVE lapsed AS (SELECT id FROM episode WHERE {over}), {gone}, crowded AS ({crowded})"
    " SELECT (SELECT count(*) FROM episode e WHERE {expired}),"
    " (SELECT count(*) FROM episode e WHERE {outdated}),"
    " (SELECT coalesce(sum(least(excess, loose)), 0) FROM crowded),"
    " (SELECT count(*) FROM lapsed), (SELECT count(*) FROM gone)"
).format(over=_OVER, gone=_GONE, crowded=_CROWDED, expired=_EXPIRED, outdated=_OUTDATED)
_SOME_EXPIRED = sql.SQL(
    "SELECT id FROM episode e WHERE {} ORDER BY expires_at LIMIT %(rows)s FOR UPDATE SKIP LOCKED"
).format(_EXPIRED)
_SOME_OUTDATED = sql.SQL(
    "SELECT id FROM episode e WHERE {} ORDER BY id LIMIT %(rows)s FOR UPDATE SKIP LOCKED"
).format(_OUTDATED)
_LEAST_WORTH = sql.SQL(
    "WITH crowded AS MATERIALIZED ({crowded}), ranked AS (SELECT e.id, excess, row_number()"
    " OVER (PARTITION BY namespace ORDER BY {worth}, occurred_at, e.id) AS place"
    " FROM episode e JOIN crowded USING (namespace)"
    " LEFT JOIN LATERAL (SELECT uses, used_at FROM usage u WHERE u.id = e.id) u ON true"
    " WHERE {stays} AND NOT pinned) SELECT id FROM ranked WHERE place <= excess LIMIT %(rows)s"
).format(crowded=_CROWDED, worth=WORTH, stays=_STAYS)
_SOME_OVER = sql.SQL(
    "SELECT id FROM episode WHERE {} ORDER BY archived_at LIMIT %(rows)s FOR UPDATE SKIP LOCKED"
).format(_OVER)
_WITH_VERSIONS = sql.SQL(
    "WITH RECURSIVE lapsed AS (SELECT unnest(%(ids)s::uuid[]) AS id), {} SELECT id FROM gone"
).format(_GONE)
_PURGE = (
    "UPDATE episode SET superseded_by = NULL WHERE superseded_by = ANY(%s)",
    "UPDATE change SET reason = '' WHERE id = ANY(%s)",
    "WITH purged AS (DELETE FROM episode WHERE id = ANY(%s) RETURNING id, namespace)"
    " INSERT INTO change (namespace, did, id) SELECT namespace, 'purged', id FROM purged",
)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """When memories go.

    Attributes:
        purge_after: From archiving to purging.
        budget: Memories that a namespace holds at most; none is no bound.

    Raises:
        ValueError: A field is out of its bounds.
    """

    purge_after: timedelta = timedelta(days=30)
    budget: int | None = None

    def __post_init__(self) -> None:
        if self.purge_after < timedelta(0):
            raise ValueError(f"purge_after: {self.purge_after} is negative")
        if self.budget is not None and self.budget < 1:
            raise ValueError(f"budget: {self.budget} is not at least 1; none is no bound")


async def tidy(
    database: Database,
    policy: Policy,
    now: datetime,
    *,
    namespace: str | None = None,
    dry_run: bool = False,
    patience_s: float = math.inf,
) -> Tidying:
    """What lapsed, or in a dry run would: nothing is changed then, and the counts are the same.

    Args:
        database: Where memories are.
        policy: When they go.
        now: The time to judge by.
        namespace: Of which; of all by default.
        dry_run: Only count.
        patience_s: No batch begins later; there may be more then.
    """
    until = time.monotonic() + patience_s
    async with database.writer.connection() as connection:
        if dry_run:
            return await due(connection, policy, now, namespace)
        tidied = Tidying(dry_run=False)
        while True:
            batch = await tidy_some(connection, policy, now, namespace, rows=ROWS)
            if batch == Tidying(dry_run=False):
                return tidied
            tidied = _sum(tidied, batch)
            if time.monotonic() >= until:
                return msgspec.structs.replace(tidied, more=True)


async def due(connection: Connection, policy: Policy, now: datetime, namespace: str | None = None) -> Tidying:
    """What would lapse now."""
    cursor = await connection.execute(_DUE, _values(policy, now, namespace))
    expired, outdated, displaced, purged, gone = map(int, await cursor.fetchone() or (0, 0, 0, 0, 0))
    return Tidying(
        expired=expired, displaced=displaced, purged=purged, versions=gone - purged, outdated=outdated
    )


async def tidy_some(
    connection: Connection, policy: Policy, now: datetime, namespace: str | None = None, *, rows: int = ROWS
) -> Tidying:
    """What one batch of each kind did; nothing when nothing more is due."""
    values = _values(policy, now, namespace) | {"rows": rows}
    outdated = await _archive(connection, _SOME_OUTDATED, "outdated", values)
    expired = await _archive(connection, _SOME_EXPIRED, "expired", values)
    displaced = 0
    if policy.budget is not None and expired < rows:
        displaced = await _archive(connection, _LEAST_WORTH, "displaced", values)
    purged, versions = (0, 0) if outdated == rows else await _purge(connection, values)
    return Tidying(
        expired=expired,
        displaced=displaced,
        purged=purged,
        versions=versions,
        outdated=outdated,
        dry_run=False,
    )


async def _archive(connection: Connection, some: sql.Composed, did: str, values: dict[str, Any]) -> int:
    """Archive what a query finds; gives how many."""
    async with connection.transaction():
        cursor = await connection.execute(some, values)
        ids = [row[0] for row in await cursor.fetchall()]
        return await archive(connection, ids, did, values["now"])


async def archive(connection: Connection, ids: list[UUID], did: str, at: datetime) -> int:
    """Archive those that are held and not pinned, without their vectors; gives how many.

    To be called in a transaction.

    Args:
        connection: Of the writer.
        ids: Of memories.
        did: What is said of it in `change`.
        at: Since when.
    """
    if not ids:
        return 0
    cursor = await connection.execute(
        "WITH archived AS (UPDATE episode SET archived_at = %(at)s WHERE id IN (SELECT id FROM episode"
        " WHERE id = ANY(%(ids)s) AND archived_at IS NULL AND retracted_at IS NULL AND NOT pinned"
        " ORDER BY id FOR UPDATE) RETURNING id, namespace)"
        " INSERT INTO change (namespace, did, id) SELECT namespace, %(did)s, id FROM archived RETURNING id",
        {"ids": ids, "did": did, "at": at},
    )
    archived = [row[0] for row in await cursor.fetchall()]
    await placing.remove(connection, archived)
    return len(archived)


async def _purge(connection: Connection, values: dict[str, Any]) -> tuple[int, int]:
    """How many went, and how many versions that they had corrected."""
    async with connection.transaction():
        cursor = await connection.execute(_SOME_OVER, values)
        lapsed = [row[0] for row in await cursor.fetchall()]
        if not lapsed:
            return 0, 0
        cursor = await connection.execute(_WITH_VERSIONS, {"ids": lapsed})
        gone = [row[0] for row in await cursor.fetchall()]
        await placing.remove(connection, gone)
        await word_counts.take_out(connection, gone)
        for statement in _PURGE:
            await connection.execute(statement, [gone])
    return len(lapsed), len(gone) - len(lapsed)


def _values(policy: Policy, now: datetime, namespace: str | None) -> dict[str, Any]:
    return {
        "now": now,
        "namespace": namespace,
        "budget": policy.budget,
        "purge_after": policy.purge_after,
    }


def _sum(one: Tidying, other: Tidying) -> Tidying:
    return Tidying(
        expired=one.expired + other.expired,
        displaced=one.displaced + other.displaced,
        purged=one.purged + other.purged,
        versions=one.versions + other.versions,
        outdated=one.outdated + other.outdated,
        dry_run=False,
    )
