"""What reflex is told at its start."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from emily_runtime import ServiceSettings
from msgspec import Meta


class ReflexSettings(ServiceSettings, frozen=True, kw_only=True):
    """Read from `EMILY_REFLEX_*`."""

    model: Annotated[Path, Meta(description="Item memory of vision, made by emily_reflex.train")]
    alpha: Annotated[bool, Meta(description="Gate by the alpha rhythm; false: all passes as it comes")] = True
    allostasis: Annotated[bool, Meta(description="Let the body move; false: it stays at its set-points")] = (
        True
    )
    startle: Annotated[
        float,
        Meta(ge=0, le=1, description="Cortisol or norepinephrine that makes the host's reflex an alert"),
    ] = 0.8
