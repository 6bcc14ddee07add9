"""Locks that all memories of a database share: who holds one does alone what it stands for."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import anyio
from emily_postgres import Connection

POLL_S = 0.1

Lock = Literal["upkeep", "consolidation"]


@asynccontextmanager
async def locked(connection: Connection, lock: Lock, *, wait_s: float = 0) -> AsyncIterator[bool]:
    """Whether this connection holds the lock for the length of the block; a kill gives it away at once.

    Args:
        connection: Of the writer.
        lock: Which.
        wait_s: How long its turn is waited for.
    """
    key = [f"emily memory {lock}"]
    until = time.monotonic() + wait_s
    while not (holds := await _taken(connection, key)) and time.monotonic() < until:  # noqa: ASYNC110
        await anyio.sleep(POLL_S)
    try:
        yield holds
    finally:
        if holds and not connection.closed:
            with anyio.CancelScope(shield=True):
                await connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", key)


async def _taken(connection: Connection, key: list[str]) -> bool:
    cursor = await connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", key)
    row = await cursor.fetchone()
    return row is not None and bool(row[0])
