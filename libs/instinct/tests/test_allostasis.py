"""The body integrates exactly, stays in bounds and comes to rest at its set-points."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from emily_instinct import allostasis
from emily_instinct.allostasis import MODULATORS, PHYSIOLOGY, Body, Deviation, Levels, OpponentProcess
from emily_instinct.errors import InstinctError
from emily_instinct.modulation import modulate, modulation
from emily_instinct.prediction import ValueTable
from hypothesis import given
from hypothesis import strategies as st

Golden = Callable[[str], Any]
UNIT = st.floats(-1, 1)
INPUTS = st.builds(Levels, UNIT, UNIT, UNIT, UNIT, UNIT)
EVENTS = st.lists(st.tuples(st.floats(0.001, 500), INPUTS, INPUTS), max_size=8)


def _live(events: list[tuple[float, Levels, Levels]]) -> Body:
    body = Body(at=1000.0)
    for dt, jolt, held in events:
        body = allostasis.hold(allostasis.pulse(allostasis.advance(body, body.at + dt), jolt), held)
    return body


@pytest.mark.parametrize("index", range(3))
def test_the_opponent_process_matches_the_closed_form(golden: Golden, index: int) -> None:
    case = golden("dynamics_closed_form.json")["opponent_process"]["cases"][index]
    process = OpponentProcess(tau_a=case["tau_a"], tau_b=case["tau_b"], k=case["k"])
    ended = process.advance(Deviation(), case["T"], 1.0)
    states = [
        process.advance(Deviation(), t, 1.0) if t <= case["T"] else process.advance(ended, t - case["T"], 0.0)
        for t in case["t"]
    ]
    np.testing.assert_allclose([state.a for state in states], case["a"], atol=1e-8)
    np.testing.assert_allclose([state.b for state in states], case["b"], atol=1e-8)
    np.testing.assert_allclose([state.net for state in states], case["net"], atol=1e-8)
    fine = [process.advance(Deviation(), t, 1.0).net for t in np.arange(0, case["T"], 1e-4)]
    assert max(fine) == pytest.approx(case["peak"], abs=1e-6)
    assert np.argmax(fine) * 1e-4 == pytest.approx(case["t_peak"], abs=2e-3)
    after = [process.advance(ended, t, 0.0).net for t in np.arange(0, 10, 1e-3)]
    assert min(after) == pytest.approx(case["after_peak"], abs=1e-5)
    assert process.advance(Deviation(), 1e4, 1.0).net == pytest.approx(case["plateau_inf"])


@given(EVENTS, st.floats(0.01, 2000), st.floats(0.01, 0.99))
def test_one_long_step_equals_many_short_ones(
    events: list[tuple[float, Levels, Levels]], dt: float, share: float
) -> None:
    body = _live(events)
    once = allostasis.advance(body, body.at + dt)
    twice = allostasis.advance(allostasis.advance(body, body.at + share * dt), body.at + dt)
    for first, second in zip(once.deviations, twice.deviations, strict=True):
        assert first.a == pytest.approx(second.a, abs=1e-9)
        assert first.b == pytest.approx(second.b, abs=1e-9)
    assert once.load == pytest.approx(twice.load, rel=1e-6, abs=1e-9)


@given(EVENTS)
def test_levels_stay_in_their_bounds(events: list[tuple[float, Levels, Levels]]) -> None:
    body = _live(events)
    assert all(0 <= getattr(allostasis.levels(body), name) <= 1 for name in MODULATORS)
    assert body.load >= 0
    effect = modulation(body)
    assert effect.precision > 0
    assert effect.gain > 0
    assert 0 < effect.horizon <= 1
    assert 0 <= effect.arousal <= 1
    assert 0 <= effect.caution <= 1


@given(EVENTS)
def test_a_body_left_alone_comes_to_rest(events: list[tuple[float, Levels, Levels]]) -> None:
    body = allostasis.hold(_live(events), Levels())
    rested = allostasis.advance(body, body.at + 20_000)
    now, expected = allostasis.levels(rested), allostasis.set_points(rested.at)
    assert all(abs(getattr(now, name) - getattr(expected, name)) < 1e-6 for name in MODULATORS)
    assert rested.load < 1e-6


def test_the_end_of_a_pleasure_leaves_an_after_reaction() -> None:
    body = allostasis.hold(Body(), Levels(dopamine=1.0))
    pleased = allostasis.advance(body, 10.0)
    after = allostasis.advance(allostasis.hold(pleased, Levels()), 16.0)
    expected = allostasis.set_points(10.0).dopamine
    assert allostasis.levels(pleased).dopamine > expected
    assert allostasis.levels(after).dopamine < expected


def test_load_is_the_leaky_integral_of_the_squared_deviation() -> None:
    body = allostasis.pulse(Body(), Levels(cortisol=0.7, dopamine=-0.4))
    dt, total = 0.01, 0.0
    for i in range(20_000):
        middle = allostasis.advance(body, (i + 0.5) * dt)
        squared = sum(state.net**2 for state in middle.deviations)
        total += squared * math.exp(-(200.0 - middle.at) / allostasis.LOAD_TIME_S) * dt
    assert allostasis.advance(body, 200.0).load == pytest.approx(total, rel=1e-3)


def test_time_does_not_run_backwards() -> None:
    body = allostasis.advance(Body(), 10.0)
    assert allostasis.advance(body, 5.0) == body


def test_cortisol_is_expected_to_be_high_in_the_morning() -> None:
    assert allostasis.set_points(8 * 3600).cortisol > allostasis.set_points(20 * 3600).cortisol


def test_each_modulator_has_its_effect_and_rest_is_neutral() -> None:
    rest = Levels(0.5, 0.5, 0.4, 0.3, 0.4)
    neutral = modulate(rest, rest)
    assert (neutral.precision, neutral.gain, neutral.caution) == (1.0, 1.0, 0.0)
    raised = {name: modulate(Levels(**{**rest.__dict__, name: 0.9}), rest) for name in MODULATORS}
    assert raised["dopamine"].precision > neutral.precision
    assert raised["norepinephrine"].gain > neutral.gain
    assert raised["serotonin"].horizon > neutral.horizon
    assert raised["oxytocin"].social_weight > neutral.social_weight
    assert raised["cortisol"].caution > neutral.caution
    assert raised["norepinephrine"].ignition_threshold > neutral.ignition_threshold
    numb = modulate(Levels(0.5, 0.5, 0.4, 0.3, 0.0), rest)
    assert numb.ignition_threshold > neutral.ignition_threshold


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"tau_a": 1.0, "tau_b": 1.0, "k": 0.5}, "tau_a"),
        ({"tau_a": -1.0, "tau_b": 1.0, "k": 0.5}, "tau_a"),
        ({"tau_a": 1.0, "tau_b": 2.0, "k": -0.5}, "k"),
        ({"tau_a": 1.0, "tau_b": 2.0, "k": 0.5, "set_point": 0.1, "swing": 0.2}, "set_point"),
    ],
)
def test_wrong_constants_are_refused(wrong: dict[str, float], field: str) -> None:
    with pytest.raises(InstinctError, match=field):
        OpponentProcess(**wrong)


def test_levels_must_be_finite() -> None:
    with pytest.raises(InstinctError, match="cortisol"):
        Levels(cortisol=math.nan)
    assert len(PHYSIOLOGY) == len(MODULATORS)


def test_prediction_errors_move_from_the_reward_to_the_cue(golden: Golden) -> None:
    case = golden("dynamics_closed_form.json")["td_rpe"]
    table = ValueTable(rate=case["alpha"], discount=case["gamma"])
    expected = {record["episode"]: record for record in case["history"]}
    for episode in range(max(200, max(expected) + 1)):
        errors = []
        for state in range(5):
            following = str(state + 1) if state < 4 else None
            table, error = table.learn(str(state), float(state == 4), following)
            errors.append(error)
        if episode in expected:
            np.testing.assert_allclose(errors, expected[episode]["delta"], atol=1e-12)
            np.testing.assert_allclose(
                [table.value(str(s)) for s in range(5)], expected[episode]["V"], atol=1e-12
            )
    omitted = [table.learn(str(s), 0.0, str(s + 1) if s < 4 else None)[1] for s in range(5)]
    np.testing.assert_allclose(omitted, case["omission_delta_after_200"], atol=1e-9)


def test_the_value_table_is_bounded_and_checks_its_input() -> None:
    table = ValueTable(most=3)
    for state in "abcd":
        table, _ = table.learn(state, 1.0, None)
    assert [state for state, _ in table.values] == ["b", "c", "d"]
    with pytest.raises(InstinctError, match="rate"):
        ValueTable(rate=0.0)
    with pytest.raises(InstinctError, match="discount"):
        ValueTable(discount=2.0)
    with pytest.raises(InstinctError, match="reward"):
        table.learn("a", math.inf, None)
