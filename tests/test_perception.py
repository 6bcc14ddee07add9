"""The three tiers and the digits world together, without the bus."""

from __future__ import annotations

from typing import Any

import pytest
from emily_contracts import Decision
from emily_world.settings import WorldSettings

PICTURES = 60


def world(**changes: Any) -> WorldSettings:
    return WorldSettings(run="test", episodes=PICTURES, **changes)


def test_active_looking_is_nearly_always_right_after_a_few_of_64_places(loopback: Any, models: Any) -> None:
    score = loopback.perceive(loopback.Tiers.of(models), world())
    assert score.episodes == PICTURES
    assert score.accuracy >= 0.9
    assert score.mean_looks <= 12


def test_random_looking_needs_twice_the_looks(loopback: Any, models: Any) -> None:
    active, wandering = (
        loopback.perceive(loopback.Tiers.of(models), world(strategy=strategy))
        for strategy in ("active", "random")
    )
    assert wandering.mean_looks >= 2 * active.mean_looks


def test_the_same_run_gives_the_same_decisions_bit_for_bit(loopback: Any, models: Any) -> None:
    def run() -> list[Decision]:
        decisions: list[Decision] = []
        loopback.perceive(loopback.Tiers.of(models), world(subjects=3), decisions.append)
        return decisions

    assert run() == run()


@pytest.mark.parametrize(
    ("tier", "harder"),
    [("workspace", {"distractors": 1.0}), ("hypotheses", {"shift_x": 2})],
)
def test_a_tier_that_is_taken_away_is_missed(
    loopback: Any, models: Any, tier: str, harder: dict[str, Any]
) -> None:
    whole, ablated = (
        loopback.perceive(loopback.Tiers.of(models, without), world(**harder)).accuracy
        for without in (None, tier)
    )
    assert whole > ablated
