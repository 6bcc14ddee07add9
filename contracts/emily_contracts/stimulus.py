"""What comes in from a sensor, a client or a world."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from emily_contracts.constraints import MAX_SIGNALS, MAX_VALUES, Name, Text, Variants, require_finite
from emily_contracts.envelope import Message


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """One channel of a stimulus at one moment.

    Attributes:
        channel: What carried it, such as `fovea` or `load`.
        values: Readings in the modality's own units, finite.
        place: Where it was sensed, such as the pixel's index; none when it has no place.
        intensity: How strongly it knocks at attention before any gating, >= 0.
    """

    channel: Name
    values: Annotated[tuple[float, ...], Meta(min_length=1, max_length=MAX_VALUES)]
    place: Annotated[int, Meta(ge=0)] | None = None
    intensity: float = 1.0

    def __post_init__(self) -> None:
        require_finite("values", self.values)
        require_finite("intensity", (self.intensity,))
        if self.intensity < 0:
            raise ValueError(f"intensity: {self.intensity} is below 0")


class StimulusDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stimulus before it is stamped with an envelope: what an HTTP client sends.

    Attributes:
        modality: Which sense; decides which world model reads it.
        subject: Whose episode; stimuli of one subject are kept in order and in one colour.
        episode: Beliefs start from the prior when it changes.
        signals: 1 to 64 channels, each named once.
        attended: The channel that the sensor was told to attend, boosted by the alpha gate.
        text: Words instead of or beside numbers.
        deadline_ms: When an answer is no longer of use.
    """

    modality: Name
    signals: Annotated[tuple[Signal, ...], Meta(min_length=1, max_length=MAX_SIGNALS)]
    subject: Name = "default"
    episode: Name = "default"
    attended: Name | None = None
    text: Text | None = None
    deadline_ms: Annotated[int, Meta(ge=1, le=60_000)] = 1000

    def __post_init__(self) -> None:
        _require_distinct_channels(self.signals)


class Stimulus(Message, frozen=True, kw_only=True):
    """A stimulus on the bus; the fields are those of `StimulusDraft`, and one that the router adds.

    Attributes:
        flags: Variants that hold for its subject; the mind's own default where one is missing.
    """

    modality: Name
    signals: Annotated[tuple[Signal, ...], Meta(min_length=1, max_length=MAX_SIGNALS)]
    subject: Name = "default"
    episode: Name = "default"
    attended: Name | None = None
    text: Text | None = None
    deadline_ms: Annotated[int, Meta(ge=1, le=60_000)] = 1000
    flags: Variants = {}

    def __post_init__(self) -> None:
        _require_distinct_channels(self.signals)

    @classmethod
    def stamped(cls, draft: StimulusDraft, *, id: UUID, at: datetime) -> Stimulus:
        """The draft under an envelope of its own."""
        return cls(
            id=id,
            at=at,
            stimulus_id=id,
            modality=draft.modality,
            signals=draft.signals,
            subject=draft.subject,
            episode=draft.episode,
            attended=draft.attended,
            text=draft.text,
            deadline_ms=draft.deadline_ms,
        )


def _require_distinct_channels(signals: tuple[Signal, ...]) -> None:
    channels = [signal.channel for signal in signals]
    repeated = sorted({channel for channel in channels if channels.count(channel) > 1})
    if repeated:
        raise ValueError(f"signals: channel {repeated[0]!r} appears more than once")
