"""What became of a decision: the feedback the mind learns from."""

from __future__ import annotations

from uuid import UUID

from emily_contracts.constraints import Name, require_finite
from emily_contracts.envelope import Message


class Outcome(Message, frozen=True, kw_only=True):
    """The world's verdict on a decision.

    `stimulus_id` is the stimulus whose decision is judged.

    Attributes:
        decision_id: The decision that is judged.
        reward: Finite, in the world's own scale; the worlds here use [-1, 1].
        label: What was true, where the world tells.
    """

    modality: Name
    subject: Name
    episode: Name
    decision_id: UUID
    reward: float
    label: Name | None = None

    def __post_init__(self) -> None:
        require_finite("reward", (self.reward,))
