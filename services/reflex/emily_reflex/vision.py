"""Seeing: places of a picture add up to a glimpse, and a glimpse is recognised."""

from __future__ import annotations

from collections.abc import Mapping

from emily_contracts import Stimulus
from emily_runtime import Refused

from emily_reflex import recognition
from emily_reflex.impression import Impression
from emily_reflex.recognition import PLACES, VisionMemory
from emily_reflex.state import Glimpse

ORDINARY = 0.02
"""Novelty beyond the expected that is nothing special: two standard deviations among digits."""
SHOCK = 0.1
"""Novelty beyond the ordinary that surprises wholly."""
RATE = 0.1
"""Of learning what is expected."""


def look(stimulus: Stimulus, before: Glimpse | None, touched: int) -> Glimpse:
    """What is seen by now of the episode's picture.

    Only the attended channel counts as seen, or every channel when none is attended. A signal with a place
    carries its grey; one without carries all 64.

    Raises:
        Refused: A place or the number of greys does not fit the picture.
    """
    seen = dict(before.seen) if before is not None and before.episode == stimulus.episode else {}
    for index, signal in enumerate(stimulus.signals):
        fits = PLACES if signal.place is None else 1
        if signal.place is not None and signal.place >= PLACES:
            raise Refused(
                f"signals[{index}].place: {signal.place} is not on the picture; send 0 to {PLACES - 1}"
            )
        if len(signal.values) != fits:
            what = "the whole picture" if signal.place is None else "a place"
            raise Refused(f"signals[{index}].values: {len(signal.values)} given, {what} has {fits}")
        if stimulus.attended in (None, signal.channel):
            places = range(PLACES) if signal.place is None else (signal.place,)
            seen.update(zip(places, signal.values, strict=True))
    if not seen:
        raise Refused(f"attended: {stimulus.attended!r} is not among the signals' channels")
    return Glimpse(episode=stimulus.episode, seen=seen, touched=touched)


def recognise(
    glimpse: Glimpse, memory: VisionMemory, expected: Mapping[int, float]
) -> tuple[Impression, dict[int, float]]:
    """What the glimpse looks like, and how novel glimpses by their number of places are expected to be.

    Few places always look novel, so a surprise is novelty beyond what as many places had before; the first
    of its kind is what is expected.
    """
    match = recognition.recognise(memory, glimpse.seen)
    places = len(glimpse.seen)
    usual = expected.get(places, match.novelty)
    excess = match.novelty - usual
    impression = Impression(
        label=match.label,
        margin=match.margin,
        similarity=match.similarity,
        surprise=min(1.0, max(0.0, (excess - ORDINARY) / SHOCK)),
    )
    return impression, {**expected, places: usual + RATE * excess}
