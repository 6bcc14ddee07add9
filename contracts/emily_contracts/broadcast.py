"""Tier 2's answer: what became conscious, what did not, and why."""

from __future__ import annotations

import msgspec

from emily_contracts.body import Modulation
from emily_contracts.constraints import Name, Text, Variants
from emily_contracts.envelope import Message
from emily_contracts.outcome import Outcome


class Conscious(msgspec.Struct, frozen=True, kw_only=True):
    """A signal that ignited.

    Attributes:
        activation: Of its coalition after ignition, in [0, 1].
    """

    channel: Name
    values: tuple[float, ...]
    place: int | None
    activation: float


class Suppressed(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate that did not ignite, with the reason in words."""

    channel: Name
    activation: float
    reason: str


class Broadcast(Message, frozen=True, kw_only=True):
    """One per percept, whether or not anything ignited.

    Attributes:
        contents: What ignited, strongest first; empty when nothing did.
        suppressed: What did not.
        modulation: Of the body, passed on.
        label: Tier 1's label of the whole stimulus.
        novelty: Tier 1's novelty of the whole stimulus.
        reflex: Tier 1's own action, the answer when nothing ignited.
        flags: Of the stimulus, passed on.
    """

    modality: Name
    subject: Name
    episode: Name
    modulation: Modulation
    contents: tuple[Conscious, ...] = ()
    suppressed: tuple[Suppressed, ...] = ()
    label: Name | None = None
    novelty: float = 1.0
    reflex: Name | None = None
    text: Text | None = None
    outcome: Outcome | None = None
    reward_prediction_error: float = 0.0
    flags: Variants = {}
