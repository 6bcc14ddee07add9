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
        cold_start: Why nothing was remembered at the start; empty when something was, or nothing could be.
    """

    service: Name
    phase: Name
    ready: bool
    version: str
    uptime_s: float
    unmet: tuple[str, ...] = ()
    handled: int = 0
    cold_start: str = ""
