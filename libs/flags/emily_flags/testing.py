"""Snapshots for tests and benchmarks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from emily_contracts import uuid7
from emily_contracts.flags import FlagSnapshot

from emily_flags.definition import Flag, document_of

NOW = datetime.now(UTC)


def snapshot(*flags: Flag, revision: int = 1, after_s: float = 0, heartbeat_s: float = 60) -> FlagSnapshot:
    """Flags as the flag-service says them, some seconds after the start of this process."""
    at = NOW + timedelta(seconds=after_s)
    identity = uuid7(at)
    return FlagSnapshot(
        id=identity,
        at=at,
        stimulus_id=identity,
        revision=revision,
        document=document_of(flags, revision),
        heartbeat_s=heartbeat_s,
    )
