"""The gate holds back what is not attended, and emits the strongest first."""

from collections.abc import Callable

import pytest
from emily_contracts import Signal, Stimulus
from emily_contracts.flags import ALPHA_PHASE_RESET
from emily_instinct.alpha import AlphaOscillator
from emily_reflex.attention import ATTENDED_POWER, PEAK, gate, turn_to, ungated
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

type Sense = Callable[..., Stimulus]

intensities = st.lists(st.floats(0, 10), min_size=1, max_size=8)
laws = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def signals(intensities: list[float]) -> list[Signal]:
    return [
        Signal(channel=f"channel-{index}", place=index, values=(1.0,), intensity=intensity)
        for index, intensity in enumerate(intensities)
    ]


def gated(stimulus: Stimulus) -> dict[str, float]:
    at = stimulus.at.timestamp()
    passed = gate(stimulus, turn_to(stimulus, AlphaOscillator(), at), at)
    return {signal.channel: signal.salience for signal in passed}


@laws
@given(intensities=intensities)
def test_no_signal_is_lost_or_made_stronger(sense: Sense, intensities: list[float]) -> None:
    stimulus = sense(*signals(intensities), attended="channel-0")
    passed = gated(stimulus)
    assert set(passed) == {signal.channel for signal in stimulus.signals}
    assert all(0 <= passed[signal.channel] <= signal.intensity for signal in stimulus.signals)


@laws
@given(intensity=st.floats(0.1, 10))
def test_what_is_attended_passes_better_than_what_is_not(sense: Sense, intensity: float) -> None:
    passed = gated(sense(*signals([intensity, intensity]), attended="channel-1"))
    assert passed["channel-1"] > 1.5 * passed["channel-0"]


@laws
@given(intensities=intensities)
def test_without_an_aim_signals_leave_in_falling_strength(sense: Sense, intensities: list[float]) -> None:
    stimulus = sense(*signals(intensities))
    at = stimulus.at.timestamp()
    passed = gate(stimulus, turn_to(stimulus, AlphaOscillator(), at), at)
    assert [signal.salience for signal in passed] == sorted(
        (signal.salience for signal in passed), reverse=True
    )
    latencies = [signal.latency_ms for signal in passed]
    assert latencies == sorted(latencies)


def test_an_onset_begins_the_rhythm_anew(sense: Sense) -> None:
    stimulus = sense(*signals([1.0, 0.2]), attended="channel-0")
    at = stimulus.at.timestamp()
    for origin in (0.0, at - 0.031, at - 7.7):
        before = AlphaOscillator(origin=origin)
        assert turn_to(stimulus, before, at) == turn_to(stimulus, AlphaOscillator(), at)


@pytest.mark.parametrize(("variant", "begins"), [("on", True), ("off", False), ("odd", True)])
def test_a_flag_lets_the_rhythm_run_on(sense: Sense, variant: str, begins: bool) -> None:
    stimulus = replace(sense(*signals([1.0, 0.2])), flags={ALPHA_PHASE_RESET: variant})
    at = stimulus.at.timestamp()
    before = AlphaOscillator(origin=at - 0.031)
    after = turn_to(stimulus, before, at)
    assert after.phase(at) == (PEAK if begins else before.phase(at))
    assert dict(after.power) == {"channel-0": ATTENDED_POWER, "channel-1": ATTENDED_POWER}


@laws
@given(intensities=intensities)
def test_without_the_gate_signals_pass_as_they_come(sense: Sense, intensities: list[float]) -> None:
    passed = ungated(sense(*signals(intensities), attended="channel-0"))
    assert [signal.salience for signal in passed] == intensities
    assert {signal.latency_ms for signal in passed} == {0.0}
