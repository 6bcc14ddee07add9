from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from emily_instinct.errors import InstinctError
from emily_instinct.opponent import OpponentProcess, Response
from hypothesis import given
from hypothesis import strategies as st

taus = st.floats(0.01, 1000)
unit = st.floats(-1, 1)
processes = st.builds(OpponentProcess, tau_a=taus, tau_b=taus, k=st.floats(0, 1))
responses = st.builds(Response, unit, unit)


@pytest.mark.parametrize("index", range(3))
def test_rise_plateau_and_after_reaction_match_the_reference(dynamics: dict[str, Any], index: int) -> None:
    case = dynamics["opponent_process"]["cases"][index]
    process = OpponentProcess(tau_a=case["tau_a"], tau_b=case["tau_b"], k=case["k"])
    ended = process.step(Response(), case["T"], 1.0)
    path = [
        process.step(Response(), t, 1.0) if t <= case["T"] else process.step(ended, t - case["T"], 0.0)
        for t in case["t"]
    ]
    np.testing.assert_allclose([response.primary for response in path], case["a"], atol=1e-8)
    np.testing.assert_allclose([response.opponent for response in path], case["b"], atol=1e-8)
    np.testing.assert_allclose([response.net for response in path], case["net"], atol=1e-8)
    rise = [process.step(Response(), t, 1.0).net for t in np.arange(0, case["T"], 1e-3)]
    assert max(rise) == pytest.approx(case["peak"], abs=1e-5)
    assert np.argmax(rise) * 1e-3 == pytest.approx(case["t_peak"], abs=3e-3)
    after = [process.step(ended, t, 0.0).net for t in np.arange(0, 10, 1e-3)]
    assert min(after) == pytest.approx(case["after_peak"], abs=1e-5)
    assert process.step(Response(), 1e4, 1.0).net == pytest.approx(case["plateau_inf"])


@given(process=processes, response=responses, u=unit, first=st.floats(0, 500), second=st.floats(0, 500))
def test_one_long_step_equals_two_short_ones(
    process: OpponentProcess, response: Response, u: float, first: float, second: float
) -> None:
    once = process.step(response, first + second, u)
    twice = process.step(process.step(response, first, u), second, u)
    assert once.primary == pytest.approx(twice.primary, abs=1e-12)
    assert once.opponent == pytest.approx(twice.opponent, abs=1e-12)


@given(tau=taus, gap=st.sampled_from([0.0, 1e-15, 1e-12, 1e-8]), dt=st.floats(0, 500), response=responses)
def test_nearly_equal_time_constants_are_as_exact_as_others(
    tau: float, gap: float, dt: float, response: Response
) -> None:
    reached = OpponentProcess(tau_a=tau, tau_b=tau * (1 + gap), k=0.5).step(response, dt, 0.0)
    decay = math.exp(-dt / tau)
    limit = (response.opponent + 0.5 * response.primary * dt / tau) * decay
    assert reached.opponent == pytest.approx(limit, abs=1e-7)


@given(process=processes, response=responses, u=unit, dt=st.floats(0, 5))
def test_effort_is_the_integral_of_the_squared_primary(
    process: OpponentProcess, response: Response, u: float, dt: float
) -> None:
    steps = 2000
    middles = (np.arange(steps) + 0.5) * dt / steps
    primary = u + (response.primary - u) * np.exp(-middles / process.tau_a)
    expected = float(np.sum(primary**2 * np.exp(-(dt - middles) / 7.0)) * dt / steps)
    assert process.effort(response, dt, u, forgetting=7.0) == pytest.approx(expected, rel=0.02, abs=1e-4)


@given(process=processes, u=unit, dts=st.lists(st.floats(0, 100), max_size=5))
def test_primary_stays_within_its_input_and_the_opponent_within_k(
    process: OpponentProcess, u: float, dts: list[float]
) -> None:
    response = Response()
    for dt in dts:
        response = process.step(response, dt, u)
        assert abs(response.primary) <= abs(u) + 1e-12
        assert abs(response.opponent) <= process.k * abs(u) + 1e-12


@pytest.mark.parametrize(
    ("constants", "field"),
    [((0.0, 1.0, 0.5), "tau_a"), ((1.0, -1.0, 0.5), "tau_b"), ((1.0, 2.0, -0.1), "k: -0.1")],
)
def test_constant_out_of_range_is_refused(constants: tuple[float, float, float], field: str) -> None:
    tau_a, tau_b, k = constants
    with pytest.raises(InstinctError, match=field):
        OpponentProcess(tau_a=tau_a, tau_b=tau_b, k=k)
