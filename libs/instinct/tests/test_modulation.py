from __future__ import annotations

from dataclasses import replace

import pytest
from emily_instinct.allostasis import MODULATORS, Body, Neuromodulators
from emily_instinct.appraisal import Appraisal, feel
from emily_instinct.modulation import Modulation, modulate, modulation
from hypothesis import given
from hypothesis import strategies as st

REST = Neuromodulators(dopamine=0.5, serotonin=0.5, oxytocin=0.4, cortisol=0.3, norepinephrine=0.4)
NEUTRAL = modulate(REST, REST)

levels = st.builds(Neuromodulators, **dict.fromkeys(MODULATORS, st.floats(0, 1)))


def test_body_at_rest_is_neutral() -> None:
    assert modulation(Body()) == Modulation(
        precision=1.0,
        gain=1.0,
        horizon=0.95,
        ignition_threshold=0.5,
        arousal=0.5,
        social_weight=0.4,
        caution=0.0,
    )


@pytest.mark.parametrize(
    ("modulator", "effect"),
    [
        ("dopamine", "precision"),
        ("norepinephrine", "gain"),
        ("norepinephrine", "arousal"),
        ("serotonin", "horizon"),
        ("oxytocin", "social_weight"),
        ("cortisol", "caution"),
        ("cortisol", "arousal"),
    ],
)
def test_more_of_a_modulator_has_more_of_its_effect(modulator: str, effect: str) -> None:
    more = modulate(replace(REST, **{modulator: getattr(REST, modulator) + 0.2}), REST)
    assert getattr(more, effect) > getattr(NEUTRAL, effect)


def test_ignition_is_easiest_at_middle_arousal() -> None:
    drowsy, alert = (modulate(replace(REST, norepinephrine=level), REST) for level in (0.2, 0.6))
    assert drowsy.arousal < NEUTRAL.arousal < alert.arousal
    assert drowsy.ignition_threshold == pytest.approx(alert.ignition_threshold)
    assert drowsy.ignition_threshold > NEUTRAL.ignition_threshold


@given(now=levels, expected=levels)
def test_every_effect_is_in_its_range(now: Neuromodulators, expected: Neuromodulators) -> None:
    effect = modulate(now, expected)
    assert effect.precision > 0
    assert effect.gain > 0
    assert 0.5 <= effect.horizon <= 1
    assert 0.5 <= effect.ignition_threshold <= 0.65 + 1e-12
    for share in (effect.arousal, effect.social_weight, effect.caution):
        assert 0 <= share <= 1


def test_reward_sharpens_choice_at_once_and_blunts_it_after() -> None:
    glad = feel(Body(), 0.0, Appraisal(reward_prediction_error=1.0))
    later = feel(glad, 8.0, Appraisal())
    assert modulation(glad).precision > 1 > modulation(later).precision
