"""What an event means to the body.

Phasic: a reward prediction error moves dopamine (Schultz, Dayan & Montague 1997) and, the other way,
serotonin (Daw, Kakade & Dayan 2002); surprise moves norepinephrine (Yu & Dayan 2005). Tonic, until appraised
anew: threat drives cortisol and norepinephrine (McEwen 1998), company oxytocin (Shamay-Tsoory & Abu-Akel
2016).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from emily_instinct.allostasis import Body, Neuromodulators, jolt, step
from emily_instinct.errors import InstinctError

REWARD_TO_DOPAMINE = 0.5
REWARD_TO_SEROTONIN = -0.1
SURPRISE_TO_NOREPINEPHRINE = 0.4
THREAT_TO_NOREPINEPHRINE = 0.5


@dataclass(frozen=True, kw_only=True)
class Appraisal:
    """An event as the body takes it.

    Attributes:
        reward_prediction_error: Reward beyond what was predicted; saturates as tanh.
        surprise: In [0, 1], such as a percept's novelty.
        threat: In [0, 1], such as the load of the host; none leaves it as it was.
        company: In [0, 1], how much others are there for it; none leaves it as it was.

    Raises:
        InstinctError: A number is out of its range.
    """

    reward_prediction_error: float = 0.0
    surprise: float = 0.0
    threat: float | None = None
    company: float | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.reward_prediction_error):
            raise InstinctError(f"reward_prediction_error: {self.reward_prediction_error} is not finite")
        shares = {"surprise": self.surprise, "threat": self.threat, "company": self.company}
        for name, share in shares.items():
            if share is not None and not 0 <= share <= 1:
                raise InstinctError(f"{name}: {share} is not in [0, 1]")


def feel(body: Body, at: float, appraisal: Appraisal) -> Body:
    """The body right after an event.

    Args:
        body: As the last event left it.
        at: Time of the event in seconds since 1970; an event that comes late is felt at the body's own time.
        appraisal: Of the event.
    """
    reached = step(body, max(0.0, at - body.at), body.drives)
    reward = math.tanh(appraisal.reward_prediction_error)
    jolted = jolt(
        reached,
        Neuromodulators(
            dopamine=REWARD_TO_DOPAMINE * reward,
            serotonin=REWARD_TO_SEROTONIN * reward,
            norepinephrine=SURPRISE_TO_NOREPINEPHRINE * appraisal.surprise,
        ),
    )
    return replace(jolted, drives=_drives(reached.drives, appraisal))


def _drives(now: Neuromodulators, appraisal: Appraisal) -> Neuromodulators:
    if appraisal.threat is not None:
        now = replace(
            now,
            cortisol=appraisal.threat,
            norepinephrine=THREAT_TO_NOREPINEPHRINE * appraisal.threat,
        )
    if appraisal.company is not None:
        now = replace(now, oxytocin=appraisal.company)
    return now
