"""Asking for hypotheses and how diverse they are."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from emily_contracts.constraints import Name


class HypothesesRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many hypotheses to sample about what.

    Attributes:
        temperature: > 1 flattens the sampler, < 1 sharpens it.
    """

    modality: Name = "vision"
    count: Annotated[int, Meta(ge=1, le=10_000)] = 100
    temperature: Annotated[float, Meta(gt=0, le=100)] = 1.0
    seed: Annotated[int, Meta(ge=0)] = 0


class Hypothesis(msgspec.Struct, frozen=True, kw_only=True):
    """One distinct hypothesis among the sampled ones."""

    description: str
    drawn: int
    log_probability: float
    log_reward: float


class Hypotheses(msgspec.Struct, frozen=True, kw_only=True):
    """A sample and its diversity against the exact target.

    Attributes:
        unique: Distinct hypotheses drawn.
        expected_unique: Of a perfect sampler: sum over x of 1 - (1 - p(x))^count.
        total_variation: Of the sampler from the exact target, in [0, 1].
        collapsed: Whether the mode-collapse report raises an alarm.
    """

    hypotheses: tuple[Hypothesis, ...]
    unique: int
    expected_unique: float
    total_variation: float
    collapsed: bool
