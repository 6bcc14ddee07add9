"""The decisions that the router makes itself, because nobody else will."""

from __future__ import annotations

from emily_contracts.decision import Act, Decision, Status
from emily_contracts.envelope import successor_id
from emily_contracts.percept import Percept
from emily_contracts.stimulus import Stimulus


def degraded(percept: Percept, why: str) -> Decision:
    """Tier 1's answer in place of a decision: its reflex, else a report of its label, else nothing."""
    if percept.reflex is not None:
        act = Act(kind=percept.reflex)
    elif percept.label is not None:
        act = Act(kind="report", label=percept.label)
    else:
        act = Act(kind="none")
    return Decision(
        id=successor_id(percept.stimulus_id, "degraded"),
        at=percept.at,
        stimulus_id=percept.stimulus_id,
        causation_id=percept.id,
        modality=percept.modality,
        subject=percept.subject,
        episode=percept.episode,
        status=Status.DEGRADED,
        act=act,
        reason=f"{why}; tier 1's answer stands in for it",
    )


def failed(stimulus: Stimulus, why: str) -> Decision:
    """The answer to a stimulus that no tier answered, or that was not accepted."""
    return Decision(
        id=successor_id(stimulus.id, "failed"),
        at=stimulus.at,
        stimulus_id=stimulus.id,
        causation_id=stimulus.id,
        modality=stimulus.modality,
        subject=stimulus.subject,
        episode=stimulus.episode,
        status=Status.FAILED,
        act=Act(kind="none"),
        reason=why,
    )
