"""How a service is."""

from __future__ import annotations

import msgspec

from emily_contracts.constraints import Name
from emily_contracts.envelope import Message


class HealthRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Asks a service how it is."""

    service: Name


class Health(Message, frozen=True, kw_only=True):
    """What a service says of itself.

    Attributes:
        phase: `starting`, `ready`, `draining` or `stopped`.
        ready: All subscriptions and dependencies are up.
        unmet: Names of the conditions that are not.
        version: Of the code.
        handled: Events since the start.
        cold_start: Why nothing was remembered at the start, or nothing taken over from another mind; empty
            when something was, or nothing could be.
        restored_age_s: At the start, the age of the checkpoint that was gone on from; what was lived through
            after it was written is lost. None where nothing was restored.
    """

    service: Name
    phase: Name
    ready: bool
    version: str
    uptime_s: float
    unmet: tuple[str, ...] = ()
    handled: int = 0
    cold_start: str = ""
    restored_age_s: float | None = None
