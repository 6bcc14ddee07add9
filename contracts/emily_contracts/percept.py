"""Tier 1's answer: what reflex made of a stimulus."""

from __future__ import annotations

import msgspec

from emily_contracts.body import Modulation
from emily_contracts.constraints import Name, Text, Variants
from emily_contracts.envelope import Message
from emily_contracts.outcome import Outcome


class GatedSignal(msgspec.Struct, frozen=True, kw_only=True):
    """A signal after the alpha gate.

    Attributes:
        salience: Intensity x gain of its channel at this phase, >= 0.
        latency_ms: When in the alpha cycle it is emitted (phase code); earlier is stronger.
    """

    channel: Name
    values: tuple[float, ...]
    place: int | None
    salience: float
    latency_ms: float


class Percept(Message, frozen=True, kw_only=True):
    """A reflex answer, made of a stimulus or of an outcome.

    Attributes:
        signals: Gated, in the order of emission; empty when an outcome is felt.
        label: The item memory's nearest concept; none when nothing is known or felt.
        margin: Similarity of the nearest less that of the second, in [0, 1].
        similarity: Of the nearest, in [0, 1].
        novelty: 1 - similarity.
        reflex: The action tier 1 takes by itself; none when it leaves it to the higher tiers.
        outcome: The feedback that is passed on for learning.
        flags: Of the stimulus, passed on.
    """

    modality: Name
    subject: Name
    episode: Name
    modulation: Modulation
    signals: tuple[GatedSignal, ...] = ()
    label: Name | None = None
    margin: float = 0.0
    similarity: float = 0.0
    novelty: float = 1.0
    reflex: Name | None = None
    text: Text | None = None
    outcome: Outcome | None = None
    reward_prediction_error: float = 0.0
    flags: Variants = {}
