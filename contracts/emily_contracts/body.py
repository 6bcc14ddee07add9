"""The allostatic body as the other tiers see it."""

from __future__ import annotations

import msgspec

from emily_contracts.constraints import Name
from emily_contracts.envelope import Message


class Levels(msgspec.Struct, frozen=True, kw_only=True):
    """Neuromodulator levels, each in [0, 1]."""

    dopamine: float
    serotonin: float
    oxytocin: float
    cortisol: float
    norepinephrine: float


class Modulation(msgspec.Struct, frozen=True, kw_only=True):
    """What the body does to thinking.

    Attributes:
        precision: Policy precision gamma, > 0 (dopamine).
        gain: Inverse temperature of perception, > 0 (norepinephrine).
        horizon: Discount of future policies in (0, 1] (serotonin).
        ignition_threshold: Input a coalition needs to become conscious (arousal, inverted U).
        arousal: In [0, 1]; also modulates the workspace's capacity.
        social_weight: Weight of social preferences in [0, 1] (oxytocin).
        caution: Shift of preferences away from risk in [0, 1] (cortisol).
    """

    precision: float = 1.0
    gain: float = 1.0
    horizon: float = 1.0
    ignition_threshold: float = 0.5
    arousal: float = 0.5
    social_weight: float = 0.5
    caution: float = 0.0


class BodyState(Message, frozen=True, kw_only=True):
    """The body after one event.

    Attributes:
        modality: The sense whose event moved it.
        levels: Now.
        set_points: Where the body expects to be, by prediction.
        allostatic_load: Accumulated cost of deviation, >= 0.
        reward_prediction_error: Of the last outcome; 0 when the event was none.
    """

    modality: Name
    subject: Name
    levels: Levels
    set_points: Levels
    modulation: Modulation
    allostatic_load: float
    reward_prediction_error: float = 0.0
