"""What events mean to the one body of a colour."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from emily_contracts import Stimulus
from emily_instinct import appraisal
from emily_instinct.allostasis import Body, levels
from emily_instinct.appraisal import Appraisal

from emily_reflex.impression import Impression

BEST_REWARD = 1.0


def of_stimulus(stimulus: Stimulus, impression: Impression) -> Appraisal:
    """A stimulus surprises, may threaten, and is company when it has words."""
    return Appraisal(
        surprise=impression.surprise,
        threat=impression.threat,
        company=0.0 if stimulus.text is None else 1.0,
    )


def of_reward(error: float, *, expected: float) -> Appraisal:
    """A reward is felt by its prediction error; to expect less than the best of one's acts is a threat.

    Args:
        error: Reward prediction error.
        expected: Reward that is expected from now on; the threat is what it lacks to the best.
    """
    return Appraisal(reward_prediction_error=error, threat=min(1.0, max(0.0, BEST_REWARD - expected)))


def feel(body: Body, at: float, felt: Appraisal, threats: Collection[float]) -> Body:
    """The body right after an event; of the threats of all senses it is under the greatest."""
    greatest = felt if felt.threat is None else replace(felt, threat=max(threats))
    return appraisal.feel(body, at, greatest)


def startled(body: Body, bound: float) -> bool:
    """Whether the body is beyond what it bears without acting at once."""
    now = levels(body)
    return max(now.cortisol, now.norepinephrine) >= bound
