"""The replica of the flags that every service evaluates in process."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from emily_contracts.envelope import Message


class FlagSnapshot(Message, frozen=True, kw_only=True):
    """All flags at one revision.

    Attributes:
        revision: Rises by one with each change.
        document: Flag definitions in the flagd JSON schema.
        heartbeat_s: It is said again at least this often; who hears nothing for longer knows old flags.
    """

    revision: int
    document: str
    heartbeat_s: Annotated[float, Meta(gt=0)] = 5.0


class FlagsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for all flags now."""
