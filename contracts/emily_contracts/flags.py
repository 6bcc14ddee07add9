"""The replica of the flags that every service evaluates in process."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from emily_contracts.constraints import Name
from emily_contracts.envelope import Message

GFLOWNET_V2 = "enable_gflownet_v2"
"""On: hypotheses are sampled by a GFlowNet of trajectory balance with replay; off: of detailed balance."""
ALPHA_PHASE_RESET = "enable_alpha_phase_reset"
"""On: the onset of a stimulus begins a cycle of the alpha rhythm; off: the rhythm runs on."""


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


class Exposure(Message, frozen=True, kw_only=True):
    """A subject came under a variant: said at its first stimulus, and when its variant or episode changes.

    Attributes:
        flag: Whose variant it is.
        variant: That holds for the subject from this stimulus on.
        key: What the flag was asked for: the subject.
    """

    flag: Name
    variant: str
    key: Name
