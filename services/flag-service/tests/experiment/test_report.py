"""A report says what differs, how surely, and whether it may be believed at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from emily_flag_service.experiment.report import Effect, Report, report
from emily_flag_service.experiment.trial import Sums, Trial
from emily_flags import Flag, parse_flag
from emily_flags.testing import define

CANARY = {"targeting": {"fractional": [["on", 50], ["off", 50]]}}


def flag(**changes: Any) -> Flag:
    return parse_flag("a", define(**changes))


def trials(count: int, variant: str, accuracy: float, seed: int = 0) -> dict[Trial, Sums]:
    """Subjects who were judged ten times each, with a latency of 20 ms on average."""
    rng = np.random.default_rng([seed, *variant.encode()])
    return {
        Trial(flag="a", version=3, variant=variant, subject=f"{variant}-{number}"): Sums(
            answers=20,
            timed=20,
            latency_ms=float(20 * rng.normal(20, 2)),
            weighed=20,
            energy=float(rng.normal(40, 4)),
            looks=80,
            outcomes=10,
            right=int(rng.binomial(10, accuracy)),
        )
        for number in range(count)
    }


def effect(found: Report, metric: str) -> Effect:
    return next(each for each in found.effects if each.metric == metric)


def test_what_is_better_is_found_and_what_is_alike_stays_open() -> None:
    found = report(flag(**CANARY), 3, trials(300, "on", 0.95) | trials(300, "off", 0.7))
    assert (found.control, found.version, found.ratio.verdict) == ("off", 3, "fits")
    accuracy = effect(found, "accuracy")
    assert (accuracy.variant, accuracy.verdict, accuracy.subjects) == ("on", "better", 300)
    assert accuracy.measured.difference == pytest.approx(0.25, abs=0.05)
    assert effect(found, "latency_ms").verdict == "open"
    assert effect(found, "expected_free_energy").verdict == "open"
    worse = report(flag(**CANARY), 3, trials(300, "on", 0.5) | trials(300, "off", 0.7))
    assert effect(worse, "accuracy").verdict == "worse"


def test_subjects_that_were_not_shared_out_as_the_rule_says_are_noticed() -> None:
    found = report(flag(**CANARY), 3, trials(400, "on", 0.9) | trials(300, "off", 0.9))
    assert found.ratio.verdict == "mismatch"
    assert found.ratio.p is not None
    assert found.ratio.p < 0.001
    assert [arm.share for arm in found.arms] == [0.5, 0.5]


def test_who_was_under_several_variants_is_left_out() -> None:
    both = {
        Trial(flag="a", version=3, variant=variant, subject="turncoat"): Sums(answers=9)
        for variant in ("on", "off")
    }
    found = report(flag(**CANARY), 3, trials(20, "on", 0.9) | trials(20, "off", 0.9) | both)
    assert found.crossed == 1
    assert [arm.subjects for arm in found.arms] == [20, 20]


@pytest.mark.parametrize(
    ("rule", "shares"),
    [
        ({}, {"off": 1.0}),
        ({"fractional": [["on", 1], ["off"]]}, {"on": 0.5, "off": 0.5}),
        ({"if": [{"==": [{"var": "room"}, "hall"]}, "on", "off"]}, None),
        ({"fractional": [{"var": "room"}, ["on", 1], ["off", 1]]}, None),
    ],
)
def test_shares_are_read_from_a_rule_of_nothing_but_shares(
    rule: dict[str, Any], shares: dict[str, float] | None
) -> None:
    found = report(flag(targeting=rule), 3, trials(10, "off", 0.9))
    expected: dict[str, float | None] = {"off": None} if shares is None else {**shares}
    assert {arm.variant: arm.share for arm in found.arms} == expected


def test_before_anybody_came_nothing_is_claimed() -> None:
    found = report(flag(**CANARY), 3, {})
    assert (found.control, found.effects, found.ratio.verdict) == (None, (), "unknown")
    assert [arm.subjects for arm in found.arms] == [0, 0]
