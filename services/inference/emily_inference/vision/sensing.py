"""What of a broadcast is seen: each conscious signal as a reading of a place."""

from __future__ import annotations

import numpy as np
from emily_contracts import Broadcast, Conscious
from emily_runtime import Refused

from emily_inference.vision.beliefs import Reading
from emily_inference.vision.grey import PLACES, level_of


def readings(broadcast: Broadcast) -> dict[int, Reading]:
    """The readings by place; where two signals tell of one place, the stronger is believed.

    Raises:
        Refused: A signal is neither one grey at a place nor a whole picture.
    """
    gain = broadcast.modulation.gain
    seen: dict[int, Reading] = {}
    for content in reversed(broadcast.contents):
        first, expected = _extent(content)
        if len(content.values) != expected:
            raise Refused(
                f"contents.{content.channel}.values: {len(content.values)} greys; send 1 with a place, "
                f"or {PLACES} without"
            )
        for offset, level in enumerate(level_of(np.array(content.values)).tolist()):
            seen[first + offset] = Reading(first + offset, level, gain)
    return seen


def _extent(content: Conscious) -> tuple[int, int]:
    """(first place, number of places) that a signal tells of."""
    if content.place is None:
        return 0, PLACES
    if content.place >= PLACES:
        raise Refused(f"contents.{content.channel}.place: {content.place} is not in 0..{PLACES - 1}")
    return content.place, 1
