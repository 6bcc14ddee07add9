"""What the levels of the body do to thinking.

Dopamine sets the precision of policies (Schwartenbeck 2015), norepinephrine the gain of perception
(Aston-Jones & Cohen 2005), serotonin how far ahead counts (Doya 2002), oxytocin the weight of others
(Shamay-Tsoory & Abu-Akel 2016), cortisol caution. Performance over arousal is an inverted U (Yerkes &
Dodson 1908): the threshold of ignition is lowest in its middle and rises to both sides.

A body at its set-points gives precision 1, gain 1, the middle arousal and no caution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from emily_instinct.allostasis import Body, Neuromodulators, levels, set_points

PRECISION_SLOPE = 2.0
GAIN_SLOPE = 1.0
HORIZON_AT_REST = 0.95
HORIZON_SLOPE = 0.2
SHORTEST_HORIZON = 0.5
LEAST_IGNITION_THRESHOLD = 0.5
IGNITION_RISE = 0.15


@dataclass(frozen=True, kw_only=True)
class Modulation:
    """The effect of a body on thinking; the contract of the same name carries it to the other tiers.

    Attributes:
        precision: Policy precision gamma, > 0.
        gain: Inverse temperature of perception, > 0.
        horizon: Discount of future steps in [0.5, 1].
        ignition_threshold: Input that a coalition needs to become conscious.
        arousal: In [0, 1].
        social_weight: Weight of social preferences in [0, 1].
        caution: Shift of preferences away from risk in [0, 1].
    """

    precision: float
    gain: float
    horizon: float
    ignition_threshold: float
    arousal: float
    social_weight: float
    caution: float


def modulation(body: Body) -> Modulation:
    """The effect of a body on thinking, at its own time."""
    return modulate(levels(body), set_points(body.at))


def modulate(now: Neuromodulators, expected: Neuromodulators) -> Modulation:
    """The effect of levels, against the levels that were expected."""
    alarm = now.norepinephrine - expected.norepinephrine
    stress = now.cortisol - expected.cortisol
    arousal = _unit(0.5 + alarm + 0.5 * stress)
    ahead = HORIZON_AT_REST + HORIZON_SLOPE * (now.serotonin - expected.serotonin)
    return Modulation(
        precision=math.exp(PRECISION_SLOPE * (now.dopamine - expected.dopamine)),
        gain=math.exp(GAIN_SLOPE * alarm),
        horizon=max(SHORTEST_HORIZON, min(1.0, ahead)),
        ignition_threshold=LEAST_IGNITION_THRESHOLD + IGNITION_RISE * (2.0 * arousal - 1.0) ** 2,
        arousal=arousal,
        social_weight=now.oxytocin,
        caution=_unit(stress),
    )


def _unit(value: float) -> float:
    return max(0.0, min(1.0, value))
