"""Tier 3's answer, and what the actuator made of it."""

from __future__ import annotations

import enum
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from emily_contracts.constraints import Name, Variants
from emily_contracts.envelope import Message


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """What to do.

    Attributes:
        kind: Such as `look`, `report`, `observe`, `throttle`, `alert` or `none`.
        place: Where, when it has a place.
        label: What is reported, when something is.
    """

    kind: Name
    place: Annotated[int, Meta(ge=0)] | None = None
    label: Name | None = None


class ExpectedFreeEnergy(msgspec.Struct, frozen=True, kw_only=True):
    """Expected free energy of the chosen policy in nats, and its parts.

    `total = risk + ambiguity - parameter_information_gain` and equally
    `total = -(utility + state_information_gain + parameter_information_gain)` up to the
    normalisation of the preferences.
    """

    total: float
    risk: float
    ambiguity: float
    utility: float
    state_information_gain: float
    parameter_information_gain: float = 0.0


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed to make the same decision again.

    Attributes:
        code_version: Of the inference service.
        model_hash: SHA-256 (first 16 hex digits) of the generative model.
        seed: Of the sampling.
        cold_start: Why the mind had to start from nothing; empty when it goes on from what it remembers.
        flags: Variants that held for the subject.
    """

    code_version: str
    model_hash: str
    seed: int
    cold_start: str = ""
    flags: Variants = {}


class Status(enum.Enum):
    """How far a stimulus came."""

    DECIDED = "decided"
    REFLEX = "reflex"
    """Nothing ignited, or the stimulus asked for no more: tier 1's answer stands."""
    DEGRADED = "degraded"
    """A higher tier did not answer in time: tier 1's answer stands in for it."""
    FAILED = "failed"
    """No tier answered, or the stimulus was refused; `reason` says why."""


class Recollection(msgspec.Struct, frozen=True, kw_only=True):
    """A remembered moment that shaped what was expected.

    Attributes:
        id: Of the episode in memory.
        truth: What it turned out to be.
    """

    id: UUID
    truth: Name


class Decision(Message, frozen=True, kw_only=True):
    """The answer to a stimulus; exactly one leaves the router for each accepted one.

    Attributes:
        act: What to do.
        posterior: Marginal beliefs by factor name, each summing to 1.
        factors: What each entry of a factor's posterior stands for, where it has names.
        confidence: Posterior probability of the likeliest answer.
        hypotheses: Sampled explanations that were weighed, likeliest first.
        recalled: What memory answered before the first decision of an episode, the oldest first; none
            when it was not asked.
        reason: One sentence for a person.
    """

    modality: Name
    subject: Name
    episode: Name
    status: Status
    act: Act
    reason: str = ""
    confidence: float = 0.0
    posterior: dict[str, tuple[float, ...]] = {}
    factors: dict[str, tuple[str, ...]] = {}
    expected_free_energy: ExpectedFreeEnergy | None = None
    policies_weighed: int = 0
    hypotheses: tuple[str, ...] = ()
    conscious: tuple[Name, ...] = ()
    provenance: Provenance | None = None
    recalled: tuple[Recollection, ...] | None = None


class Action(Message, frozen=True, kw_only=True):
    """What an actuator did about a decision."""

    modality: Name
    subject: Name
    episode: Name
    decision_id: UUID
    act: Act
    done: bool
    detail: str = ""
