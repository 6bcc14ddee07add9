"""Percepts a moment apart."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from emily_contracts import GatedSignal, Modulation, Outcome, Percept, successor_id, uuid7

START = datetime(2026, 1, 1, tzinfo=UTC)

type Feel = Callable[..., Percept]


@pytest.fixture
def feel() -> Feel:
    """Makes percepts, each 40 ms after the one before."""
    moment = 0

    def percept(
        *signals: GatedSignal,
        subject: str = "ann",
        episode: str = "first",
        modality: str = "vision",
        arousal: float = 0.5,
        threshold: float = 0.5,
        after_s: float = 0.04,
        outcome: Outcome | None = None,
    ) -> Percept:
        nonlocal moment
        moment += round(1000 * after_s)
        at = START + timedelta(milliseconds=moment)
        stimulus = uuid7(at, moment.to_bytes(10))
        return Percept(
            id=successor_id(stimulus, "percept"),
            at=at,
            stimulus_id=stimulus,
            modality=modality,
            subject=subject,
            episode=episode,
            modulation=Modulation(arousal=arousal, ignition_threshold=threshold),
            signals=signals,
            label="3",
            novelty=0.4,
            reflex="alert",
            text="hello",
            outcome=outcome,
            reward_prediction_error=0.0 if outcome is None else 0.7,
        )

    return percept
