"""How long a verdict may stay open, and what becomes of it then."""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from emily_deployer.judging.verdict import Action, Verdict


class Undecided(enum.Enum):
    """What to do when the patience is over and nothing is certain."""

    PROMOTE = "promote"
    """Go on: no harm was shown."""
    PAUSE = "pause"
    """Keep the traffic as it is until a person decides."""
    ROLL_BACK = "roll-back"
    """Go back: harmlessness was not shown."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait for certainty.

    Attributes:
        least_s: Before a promotion: what needs time to show is given some.
        seconds: At most.
        stimuli: Of the new colour at most.
        undecided: What happens then.
    """

    least_s: Annotated[float, Meta(ge=0, le=86_400)] = 2.0
    seconds: Annotated[float, Meta(gt=0, le=86_400)] = 60.0
    stimuli: Annotated[int, Meta(gt=0)] = 100_000
    undecided: Undecided = Undecided.PROMOTE


def settled(verdict: Verdict, patience: Patience, *, stimuli: int, elapsed_s: float) -> Verdict | None:
    """The verdict that counts; none when a person has to decide.

    A verdict that says wait goes on doing so until the patience is over.
    """
    if verdict.action is not Action.WAIT:
        return verdict
    if elapsed_s < patience.seconds and stimuli < patience.stimuli:
        return verdict
    waited = f"nothing is certain after {elapsed_s:.0f} s and {stimuli:,} stimuli, and"
    match patience.undecided:
        case Undecided.PAUSE:
            return None
        case Undecided.PROMOTE:
            said = f"{waited} no harm was shown: {verdict.reason}"
            return Verdict(action=Action.PROMOTE, reason=said, findings=verdict.findings)
        case Undecided.ROLL_BACK:
            said = f"{waited} that there is no harm was not shown: {verdict.reason}"
            return Verdict(action=Action.ROLL_BACK, reason=said, findings=verdict.findings)
