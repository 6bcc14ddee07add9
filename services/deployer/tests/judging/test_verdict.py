"""A verdict says what to do, and why, in words and numbers."""

from __future__ import annotations

import random

import pytest
from emily_deployer.judging import (
    Action,
    Criteria,
    Evidence,
    Observation,
    Patience,
    Standing,
    Undecided,
    judge,
    judge_shadow,
    settled,
)
from emily_deployer.judging.comparison import Comparison
from emily_deployer.judging.exposures import Exposures
from hypothesis import given
from hypothesis import strategies as st

CRITERIA = Criteria()
NAMES = ("green", "blue")


def seen(
    count: int = 0,
    *,
    failed: int = 0,
    latency_s: float = 0.01,
    wrong: int = 0,
    confidence: float = 0.9,
    free_energy: float = 1.0,
) -> Evidence:
    """`count` stimuli, of which the last ones fail or are decided wrongly."""
    evidence = Evidence(CRITERIA)
    for number in range(count):
        evidence.add(
            Observation(
                failed=number >= count - failed,
                latency_s=latency_s * (1 + number % 10 / 100),
                correct=number < count - wrong,
                confidence=confidence,
                free_energy=free_energy,
            )
        )
    return evidence


def test_the_reason_names_the_numbers() -> None:
    verdict = judge(seen(812, failed=25), seen(4020, failed=8), CRITERIA, names=NAMES)
    assert verdict.action is Action.ROLL_BACK
    assert verdict.reason == (
        "green fails 3.1 % of 812 stimuli, blue 0.2 % of 4,020; "
        "the difference is above 0.5 % with certainty 99.3 %"
    )


@pytest.mark.parametrize(
    ("worse", "metric"),
    [
        ({"failed": 120}, "errors"),
        ({"latency_s": 0.02}, "latency p50"),
        ({"wrong": 200}, "correct"),
        ({"confidence": 0.6}, "confidence"),
        ({"free_energy": 3.0}, "free energy"),
    ],
)
def test_each_metric_sends_a_worse_colour_back(worse: dict[str, float], metric: str) -> None:
    verdict = judge(seen(1500, **worse), seen(1500), CRITERIA, names=NAMES)  # type: ignore[arg-type]
    assert verdict.action is Action.ROLL_BACK
    harmful = [finding.metric for finding in verdict.findings if finding.standing is Standing.HARMFUL]
    assert metric in harmful


def test_a_colour_that_is_as_good_is_promoted() -> None:
    verdict = judge(seen(3000), seen(3000), CRITERIA, names=NAMES)
    assert verdict.action is Action.PROMOTE
    assert "the difference is below 2 % with certainty 99.3 %" in verdict.reason


@pytest.mark.parametrize("better", [{"latency_s": 0.001}, {"confidence": 1.0}, {"free_energy": -5.0}])
def test_a_better_colour_is_promoted(better: dict[str, float]) -> None:
    assert judge(seen(3000, **better), seen(3000), CRITERIA, names=NAMES).action is Action.PROMOTE  # type: ignore[arg-type]


@given(st.integers(0, 40))
def test_it_never_decides_on_no_data(count: int) -> None:
    some, nothing = seen(count), seen()
    for new, old in ((some, nothing), (nothing, some), (nothing, nothing)):
        assert judge(new, old, CRITERIA, names=NAMES).action is Action.WAIT
    assert judge_shadow(0, 0, CRITERIA, names=NAMES).action is Action.WAIT


def test_few_stimuli_decide_nothing() -> None:
    verdict = judge(seen(20, failed=1), seen(20), CRITERIA, names=NAMES)
    assert verdict.action is Action.WAIT
    assert "nothing is certain yet" in verdict.reason


@pytest.mark.parametrize(
    ("agreed", "action"), [(500, Action.PROMOTE), (455, Action.WAIT), (300, Action.ROLL_BACK)]
)
def test_a_shadow_is_judged_by_its_agreement(agreed: int, action: Action) -> None:
    verdict = judge_shadow(500, agreed, CRITERIA, names=NAMES)
    assert verdict.action is action
    assert f"green decides as blue in {agreed / 5:.1f} % of 500 stimuli" in verdict.reason


@pytest.mark.parametrize(
    ("undecided", "action"),
    [(Undecided.PROMOTE, Action.PROMOTE), (Undecided.ROLL_BACK, Action.ROLL_BACK), (Undecided.PAUSE, None)],
)
def test_when_patience_is_over_what_was_agreed_happens(undecided: Undecided, action: Action | None) -> None:
    patience = Patience(seconds=10, stimuli=100, undecided=undecided)
    verdict = judge(seen(20), seen(20), CRITERIA, names=NAMES)
    waiting = settled(verdict, patience, stimuli=20, elapsed_s=9)
    assert waiting is verdict
    for stimuli, elapsed_s in ((20, 10.0), (100, 1.0)):
        ended = settled(verdict, patience, stimuli=stimuli, elapsed_s=elapsed_s)
        assert (ended.action if ended else None) is action
        if ended:
            assert f"nothing is certain after {elapsed_s:.0f} s and {stimuli} stimuli" in ended.reason


def test_certainty_needs_no_patience() -> None:
    verdict = judge(seen(1500, failed=120), seen(1500), CRITERIA, names=NAMES)
    assert settled(verdict, Patience(seconds=1, stimuli=1), stimuli=1500, elapsed_s=99) is verdict


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"errors": 0.1, "errors_margin": 0.05}, "errors_margin: 0.05 is below errors, 0.1"),
        ({"free_energy_range": (1.0, 1.0)}, "free_energy_range: 1.0 is not above 1.0"),
    ],
)
def test_criteria_that_contradict_themselves_are_refused(fields: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Criteria(**fields)  # type: ignore[arg-type]


def under(evidence: Evidence, **counts: int) -> Evidence:
    """With as many subjects under each variant of a flag."""
    for variant, count in counts.items():
        for number in range(count):
            evidence.exposures.add(f"{variant}-{number}", {"rule": variant})
    return evidence


def test_colours_with_other_variants_are_not_compared() -> None:
    new, old = under(seen(3000), on=300, off=700), under(seen(3000), on=100, off=900)
    verdict = judge(new, old, CRITERIA, names=NAMES)
    assert verdict.action is Action.WAIT
    assert verdict.reason == (
        "green has 70.0 % of 1,000 subjects under rule=off, blue 90.0 % of 1,000: "
        "they can't be compared until that evens out"
    )
    under(old, on=400)
    assert judge(new, old, CRITERIA, names=NAMES).action is Action.PROMOTE


def test_harm_sends_back_whatever_the_variants_are() -> None:
    new, old = under(seen(1500, failed=120), on=900, off=100), under(seen(1500), on=100, off=900)
    assert judge(new, old, CRITERIA, names=NAMES).action is Action.ROLL_BACK


@given(
    seed=st.integers(0, 2**32 - 1),
    share=st.floats(0.05, 0.95),
)
def test_variants_that_are_shared_out_alike_hold_nobody_up(seed: int, share: float) -> None:
    """Looked at after every tenth subject; beyond a tolerance of 10 % a difference by chance is rare."""
    dice = random.Random(seed)
    new, old = Evidence(CRITERIA), Evidence(CRITERIA)
    for number in range(200):
        for evidence in (new, old):
            evidence.exposures.add(f"{number}", {"rule": "on" if dice.random() < share else "off"})
        if number % 10 == 0:
            assert not list(Comparison(new, old, CRITERIA, NAMES).findings())


def test_a_subject_counts_once_under_a_variant() -> None:
    exposures = Exposures()
    for variant in ("on", "on", "off"):
        exposures.add("subject", {"rule": variant})
    assert (exposures.share("rule", "on").happened, exposures.share("rule", "on").trials) == (1, 2)
    assert exposures.share("other", "on").trials == 0
