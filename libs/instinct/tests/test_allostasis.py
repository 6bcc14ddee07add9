from __future__ import annotations

import math
from dataclasses import replace

import pytest
from emily_instinct import allostasis
from emily_instinct.allostasis import MODULATORS, PHYSIOLOGY, Body, Neuromodulators, Regulation
from emily_instinct.errors import InstinctError
from emily_instinct.opponent import OpponentProcess
from hypothesis import given
from hypothesis import strategies as st

number = st.floats(-3, 3)
values = st.builds(Neuromodulators, **dict.fromkeys(MODULATORS, number))
Moment = tuple[float, Neuromodulators, Neuromodulators]
lives = st.lists(st.tuples(st.floats(0, 500), values, values), max_size=6)


def _lived(life: list[Moment]) -> Body:
    body = Body(at=1000.0)
    for dt, drives, jolt in life:
        body = allostasis.jolt(allostasis.step(body, dt, drives), jolt)
    return body


@given(life=lives, drives=values, dt=st.floats(0.01, 2000), share=st.floats(0, 1))
def test_one_long_step_equals_two_short_ones(
    life: list[Moment], drives: Neuromodulators, dt: float, share: float
) -> None:
    body = _lived(life)
    once = allostasis.step(body, dt, drives)
    twice = allostasis.step(allostasis.step(body, share * dt, drives), dt - share * dt, drives)
    for long, short in zip(once.responses, twice.responses, strict=True):
        assert long.primary == pytest.approx(short.primary, abs=1e-9)
        assert long.opponent == pytest.approx(short.opponent, abs=1e-9)
    assert once.load == pytest.approx(twice.load, rel=1e-9, abs=1e-9)


@given(life=lives)
def test_levels_stay_in_the_unit_interval_and_load_is_bounded(life: list[Moment]) -> None:
    body = _lived(life)
    assert all(0 <= level <= 1 for level in allostasis.levels(body).in_order())
    assert 0 <= body.load <= len(MODULATORS) * allostasis.LOAD_FORGETTING_S


@given(life=lives)
def test_body_left_alone_comes_to_rest_at_its_set_points(life: list[Moment]) -> None:
    rested = allostasis.step(_lived(life), 20_000, Neuromodulators())
    expected = allostasis.set_points(rested.at).in_order()
    assert allostasis.levels(rested).in_order() == pytest.approx(expected, abs=1e-9)
    assert rested.load == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("name", MODULATORS)
def test_end_of_a_drive_leaves_an_after_reaction_of_the_opposite_sign(name: str) -> None:
    index = MODULATORS.index(name)
    tau_a = PHYSIOLOGY[index].process.tau_a
    driven = allostasis.step(Body(), 10 * tau_a, Neuromodulators(**{name: 0.3}))
    after = allostasis.step(driven, 6 * tau_a, Neuromodulators())
    assert driven.responses[index].net > 0 > after.responses[index].net


def test_lasting_drive_costs_load_that_is_forgotten() -> None:
    strained = allostasis.step(Body(), 300, Neuromodulators(cortisol=1.0))
    rested = allostasis.step(strained, 600, Neuromodulators())
    assert strained.load > 100
    assert 0 < rested.load < strained.load / 2


def test_drives_saturate() -> None:
    hard = allostasis.step(Body(), 5, Neuromodulators(dopamine=50.0))
    assert hard == allostasis.step(Body(), 5, Neuromodulators(dopamine=1.0))


def test_jolt_is_immediate_and_leaves_the_others_alone() -> None:
    jolted = allostasis.jolt(Body(), Neuromodulators(norepinephrine=0.4))
    rested, pushed = allostasis.levels(Body()), allostasis.levels(jolted)
    assert pushed.norepinephrine == pytest.approx(rested.norepinephrine + 0.4)
    assert replace(pushed, norepinephrine=rested.norepinephrine) == rested


def test_cortisol_is_expected_to_be_high_in_the_morning() -> None:
    morning, evening = (allostasis.set_points(hour * 3600).cortisol for hour in (8, 20))
    assert morning == pytest.approx(0.4)
    assert evening == pytest.approx(0.2)


@pytest.mark.parametrize("dt", [-1.0, math.inf, math.nan])
def test_span_that_is_none_is_refused(dt: float) -> None:
    with pytest.raises(InstinctError, match="dt"):
        allostasis.step(Body(), dt, Neuromodulators())


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(InstinctError, match="cortisol: nan"):
        Neuromodulators(cortisol=math.nan)
    with pytest.raises(InstinctError, match="set_point"):
        Regulation(process=OpponentProcess(tau_a=1, tau_b=2, k=0.5), set_point=0.1, swing=0.2)
