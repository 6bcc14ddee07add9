"""Asking the alpha gate directly."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from emily_contracts.constraints import MAX_VALUES, require_finite


class AttentionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Drives to gate.

    Attributes:
        drives: One per channel, finite.
        phase: Of the alpha cycle in radians; the oscillator's own phase when absent.
    """

    drives: Annotated[tuple[float, ...], Meta(min_length=1, max_length=MAX_VALUES)]
    phase: float | None = None

    def __post_init__(self) -> None:
        require_finite("drives", self.drives)
        if self.phase is not None:
            require_finite("phase", (self.phase,))


class Attention(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate let through.

    Attributes:
        gated: Pointwise, in the order asked.
        emitted: Indices in the order of the phase code: the strongest drive first.
        latency_ms: Of each emitted index within the cycle, rising.
        phase: Used, in radians.
        frequency: Of the oscillator in Hz.
    """

    gated: tuple[float, ...]
    emitted: tuple[int, ...]
    latency_ms: tuple[float, ...]
    phase: float
    frequency: float
