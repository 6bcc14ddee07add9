from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from emily_instinct.alpha import AlphaOscillator
from emily_instinct.errors import InstinctError
from hypothesis import given
from hypothesis import strategies as st

DRIVES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12)
TIMES = st.floats(0, 1e6)


def test_gate_and_phase_code_match_the_closed_form(dynamics: dict[str, Any]) -> None:
    case = dynamics["alpha"]
    oscillator = AlphaOscillator(
        frequency=case["frequency"], depth=case["depth"], phase_at_origin=case["phi"], amplitude=case["A"]
    )
    np.testing.assert_allclose([oscillator.gain(t) for t in case["t"]], case["gate"], atol=1e-12)
    np.testing.assert_allclose(oscillator.latency(np.array(case["drive"])), case["latency"], atol=1e-12)
    assert oscillator.gate(case["drive"], at=0.0).emitted.tolist() == case["emission_order"]
    assert 1 / oscillator.frequency == case["period"]
    cycle = [oscillator.gain(t) for t in np.arange(1000) / 1000 * case["period"]]
    assert np.mean(cycle) == pytest.approx(case["mean_gate_over_cycle"])


@given(DRIVES, TIMES)
def test_gated_signals_never_rise_in_the_order_of_emission(drives: list[float], at: float) -> None:
    gated = AlphaOscillator().gate(drives, at)
    assert (np.diff(np.abs(gated.gated[gated.emitted])) <= 0).all()
    assert sorted(gated.emitted.tolist()) == list(range(len(drives)))
    assert (np.diff(gated.latency) >= 0).all()
    assert gated.latency.max() <= 0.5 / AlphaOscillator().frequency


def test_the_pointwise_gate_keeps_a_rising_order() -> None:
    gated = AlphaOscillator().gate([0.0, 100.0], at=0.3)
    assert abs(gated.gated[0]) < abs(gated.gated[1])
    assert gated.emitted.tolist() == [1, 0]


def test_ties_keep_the_order_given() -> None:
    assert AlphaOscillator().gate([0.5, 0.7, 0.5, 0.7], at=0.0).emitted.tolist() == [1, 3, 0, 2]


@given(DRIVES, TIMES, st.floats(0, 1))
def test_the_gate_never_strengthens_or_turns_a_signal(drives: list[float], at: float, depth: float) -> None:
    gated = AlphaOscillator(depth=depth).gate(drives, at).gated
    assert (np.abs(gated) <= np.abs(drives)).all()
    assert (np.sign(gated) * np.sign(drives) >= 0).all()


@given(TIMES)
def test_an_attended_channel_passes_when_an_ignored_one_is_held_back(at: float) -> None:
    oscillator = AlphaOscillator().reset(at, phase=0.0).attend({"fovea": 0.0})
    gated = oscillator.gate([0.5, 0.9], at, ("fovea", "flash"))
    assert gated.gated[0] == 0.5
    assert gated.gated[1] == pytest.approx(0.9 * 0.2)
    assert gated.emitted.tolist() == [0, 1]


@given(TIMES, st.floats(0, math.tau, exclude_max=True))
def test_an_event_resets_the_phase(at: float, phase: float) -> None:
    turned = AlphaOscillator().reset(at, phase)
    assert math.cos(turned.phase(at)) == pytest.approx(math.cos(phase), abs=1e-6)
    assert turned.inhibition(at) == pytest.approx((1 + math.cos(phase)) / 2, abs=1e-6)
    assert AlphaOscillator().reset(at).gain(at) == pytest.approx(1.0, abs=1e-12)
    quarter = turned.phase(at + 0.25 / turned.frequency)
    assert math.cos(quarter) == pytest.approx(math.cos(phase + math.pi / 2), abs=1e-4)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"frequency": 0.0}, "frequency"),
        ({"amplitude": 0.0}, "amplitude"),
        ({"depth": 1.5}, "depth"),
        ({"origin": math.inf}, "origin"),
        ({"power": (("a", 2.0),)}, r"power\[a\]"),
    ],
)
def test_a_wrong_oscillator_is_refused(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InstinctError, match=field):
        AlphaOscillator(**wrong)


def test_uninhibited_channel_is_emitted_at_once_however_weak() -> None:
    oscillator = AlphaOscillator().attend({"fovea": 0.0})
    gated = oscillator.gate([1e308, 1e-9], at=0.0, channels=("flash", "fovea"))
    assert gated.emitted.tolist() == [1, 0]
    assert gated.latency.tolist() == [0.0, 0.0]


def test_wrong_drives_are_refused() -> None:
    with pytest.raises(InstinctError, match=r"drives\[1\]"):
        AlphaOscillator().gate([0.0, math.nan], at=0.0)
    with pytest.raises(InstinctError, match="channels"):
        AlphaOscillator().gate([0.0], at=0.0, channels=("a", "b"))
