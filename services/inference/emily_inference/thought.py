"""What a sense concludes from a broadcast, before it is stamped as a decision."""

from __future__ import annotations

import msgspec
from emily_contracts import (
    Act,
    Broadcast,
    Decision,
    ExpectedFreeEnergy,
    Provenance,
    Recollection,
    Status,
    successor_id,
)


class Thought(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a decision that depends on the sense; fields as in `Decision`."""

    status: Status
    act: Act
    reason: str
    confidence: float
    posterior: dict[str, tuple[float, ...]]
    factors: dict[str, tuple[str, ...]]
    expected_free_energy: ExpectedFreeEnergy | None
    policies_weighed: int
    hypotheses: tuple[str, ...] = ()
    recalled: tuple[Recollection, ...] | None = None


def decision(thought: Thought, broadcast: Broadcast, provenance: Provenance) -> Decision:
    """The thought as the answer to the broadcast's stimulus."""
    return Decision(
        id=successor_id(broadcast.id, "decision"),
        at=broadcast.at,
        stimulus_id=broadcast.stimulus_id,
        causation_id=broadcast.id,
        modality=broadcast.modality,
        subject=broadcast.subject,
        episode=broadcast.episode,
        status=thought.status,
        act=thought.act,
        reason=thought.reason,
        confidence=thought.confidence,
        posterior=thought.posterior,
        factors=thought.factors,
        expected_free_energy=thought.expected_free_energy,
        policies_weighed=thought.policies_weighed,
        hypotheses=thought.hypotheses,
        conscious=tuple(content.channel for content in broadcast.contents),
        provenance=provenance,
        recalled=thought.recalled,
    )
