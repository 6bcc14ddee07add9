"""What the levels of the body do to thinking.

Dopamine sets the precision of policies (Schwartenbeck 2015), norepinephrine the gain of perception
(Aston-Jones & Cohen 2005), serotonin the horizon (Doya 2002), oxytocin the weight of others (Shamay-Tsoory &
Abu-Akel 2016), cortisol caution; arousal makes ignition easiest in its middle (Yerkes & Dodson 1908).
Every map is neutral when all levels are at their set-points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from emily_instinct.allostasis import Body, Levels, levels, set_points

PRECISION_SLOPE = 2.0
GAIN_SLOPE = 1.0
LONGEST_HORIZON = 0.99
HORIZON_SLOPE = 0.2
IGNITION_BASE = 0.5
IGNITION_CURVE = 0.6


@dataclass(frozen=True)
class Modulation:
    """See `emily_contracts.Modulation`, which carries it over the bus."""

    precision: float
    gain: float
    horizon: float
    ignition_threshold: float
    arousal: float
    social_weight: float
    caution: float


def modulation(body: Body) -> Modulation:
    """The effect of a body on thinking at its own time."""
    return modulate(levels(body), set_points(body.at))


def modulate(now: Levels, expected: Levels) -> Modulation:
    """The effect of levels against the levels that were expected."""
    arousal = _unit(
        0.5 + (now.norepinephrine - expected.norepinephrine) + 0.5 * (now.cortisol - expected.cortisol)
    )
    return Modulation(
        precision=math.exp(PRECISION_SLOPE * (now.dopamine - expected.dopamine)),
        gain=math.exp(GAIN_SLOPE * (now.norepinephrine - expected.norepinephrine)),
        horizon=max(0.5, min(1.0, LONGEST_HORIZON + HORIZON_SLOPE * (now.serotonin - expected.serotonin))),
        ignition_threshold=IGNITION_BASE + IGNITION_CURVE * (arousal - 0.5) ** 2,
        arousal=arousal,
        social_weight=now.oxytocin,
        caution=_unit(now.cortisol - expected.cortisol),
    )


def _unit(value: float) -> float:
    return max(0.0, min(1.0, value))
