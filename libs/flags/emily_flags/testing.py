"""Definitions and snapshots for tests and benchmarks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from emily_contracts import uuid7
from emily_contracts.flags import FlagSnapshot

from emily_flags.definition import Flag, document_of

NOW = datetime.now(UTC)
METADATA = {"owner": "tests", "expires": "2099-01-01"}


def define(**changes: Any) -> dict[str, Any]:
    """The definition of a boolean flag that is off, with changes."""
    definition = {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": "off",
        "metadata": METADATA,
    }
    return definition | changes


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
