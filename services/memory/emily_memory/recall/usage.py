"""How often episodes are recalled, noted in batches so that a recall writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from uuid import UUID

from emily_postgres import Connection

MOST_NOTED = 65_536


class Usage:
    """What was recalled since the last flush; beyond the bound, nothing more is noted until then."""

    def __init__(self) -> None:
        self._noted: Counter[tuple[str, UUID]] = Counter()

    def note(self, namespace: str, recalled: Iterable[UUID]) -> None:
        """Count one use of each."""
        if len(self._noted) < MOST_NOTED:
            self._noted.update((namespace, each) for each in recalled)

    async def flush(self, connection: Connection) -> int:
        """Write what was noted, of episodes that still exist; gives how many."""
        noted, self._noted = self._noted, Counter()
        if not noted:
            return 0
        await connection.execute(
            "INSERT INTO usage SELECT e.id, e.namespace, n.uses, now()"
            " FROM unnest(%s::uuid[], %s::bigint[]) AS n (id, uses) JOIN episode e USING (id) ORDER BY e.id"
            " ON CONFLICT (id) DO UPDATE SET uses = usage.uses + excluded.uses, used_at = excluded.used_at",
            [[identity for _, identity in noted], list(noted.values())],
        )
        return len(noted)
