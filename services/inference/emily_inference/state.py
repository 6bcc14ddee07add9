"""What inference remembers, and how it goes on when subjects come from another mind."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from emily_contracts import Decision
from emily_runtime.subjects import put_together
from msgspec.structs import replace

from emily_inference import holding
from emily_inference.holding import Held
from emily_inference.interoception import Feeling
from emily_inference.vision.knowledge import Knowledge
from emily_inference.vision.sight import Gaze


class InferenceState(msgspec.Struct, frozen=True, kw_only=True):
    """What inference remembers.

    Attributes:
        events: Heard so far.
        vision: What is known about pictures.
        gazes: Episode of vision by subject.
        feelings: Expected condition by host.
        answered: Newest decisions by stimulus id.
        held: Experiences that memory may lack.
        shadow: Whether another mind lives through the same and remembers it.
        cold_start: Why what had been learned is not in it; empty when nothing is missing.
    """

    vision: Knowledge
    events: int = 0
    gazes: dict[str, Gaze] = {}
    feelings: dict[str, Feeling] = {}
    answered: dict[str, Decision] = {}
    held: Held = Held()
    shadow: bool = False
    cold_start: str = ""


def merged(
    own: InferenceState,
    given: InferenceState,
    moves: Callable[[str], bool],
    *,
    subjects: int,
    answers: int,
    experiences: int,
) -> InferenceState:
    """What goes on when some subjects come from another mind.

    What was learned can't be divided by subjects: it is that of the mind which learned from more episodes.
    Whether it is a shadow is of this mind.

    Args:
        own: What this mind remembers.
        given: What the other one remembered.
        moves: Whether a subject comes from the other one.
        subjects: Most that are remembered.
        answers: Most that are kept; the oldest go first.
        experiences: Most that are held; the oldest go first.
    """
    learned = given if given.vision.episodes > own.vision.episodes else own
    counts = {"own_events": own.events, "given_events": given.events, "most": subjects}
    return replace(
        learned,
        events=max(own.events, given.events),
        gazes=put_together(own.gazes, given.gazes, moves, **counts),
        feelings=put_together(own.feelings, given.feelings, moves, **counts),
        answered=_newest(own.answered, given.answered, moves, answers),
        held=holding.put_together(own.held, given.held, moves, most=experiences),
        shadow=own.shadow,
    )


def _newest(
    own: dict[str, Decision], given: dict[str, Decision], moves: Callable[[str], bool], most: int
) -> dict[str, Decision]:
    """The given answers to subjects that move, and the own ones to the others; ids rise with time."""
    stays = {stimulus: answer for stimulus, answer in own.items() if not moves(answer.subject)}
    comes = {stimulus: answer for stimulus, answer in given.items() if moves(answer.subject)}
    together = stays | comes
    for stimulus in sorted(together)[: max(0, len(together) - most)]:
        del together[stimulus]
    return together
