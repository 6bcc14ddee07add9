"""Ignition is bistable with the closed-form thresholds; the competition is fair, bounded and explained."""

import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from emily_cognition.workspace import Candidate, Dynamics, Ignition, Reason, Verdict, WorkspaceState, compete
from hypothesis import assume, given
from hypothesis import strategies as st

THRESHOLD = 0.5
SALIENCES = st.floats(0, 3)
CANDIDATES = st.lists(
    st.tuples(SALIENCES, st.sampled_from("abcdefghijkl"), st.sampled_from("xyz")), min_size=1, max_size=14
).map(lambda rows: tuple(Candidate(str(i), s, c, r) for i, (s, c, r) in enumerate(rows)))
STREAMS = st.lists(st.tuples(st.floats(0, 2), CANDIDATES), min_size=1, max_size=6)


def _run(
    state: WorkspaceState, *rows: tuple[str, float], at: float = 0.0
) -> tuple[WorkspaceState, dict[str, Verdict]]:
    candidates = [Candidate(name, salience, coalition=name, content=name) for name, salience in rows]
    after, verdicts = compete(state, candidates, at=at, threshold=THRESHOLD)
    return after, {verdict.candidate.source: verdict for verdict in verdicts}


@pytest.mark.parametrize("index", range(3))
def test_thresholds_and_states_match_the_closed_form(golden: Callable[[str], Any], index: int) -> None:
    case = golden("dynamics_closed_form.json")["ignition"]["cases"][index]
    unit = Ignition(w=case["w"], beta=case["beta"], theta=case["theta"])
    assert unit.bistable == case["bistable"]
    if not case["bistable"]:
        with pytest.raises(ValueError, match="not bistable"):
            _ = unit.ignition_threshold
        return
    assert unit.ignition_threshold == pytest.approx(case["I_ignite"], abs=1e-12)
    assert unit.extinction_threshold == pytest.approx(case["I_extinguish"], abs=1e-12)
    middle = case["at_I_mid"]
    assert unit.low(middle["I"]) == pytest.approx(middle["low"], abs=1e-9)
    assert unit.unstable(middle["I"]) == pytest.approx(middle["unstable"], abs=1e-9)
    assert unit.high(middle["I"]) == pytest.approx(middle["high"], abs=1e-9)
    for drive, low in case["sweep_from_0"]:
        assert unit.low(drive) == pytest.approx(low, abs=1e-6)


@given(st.floats(0.2, 1.5), st.floats(0.05, 0.6))
def test_a_unit_ignites_above_its_threshold_and_holds_below_it(threshold: float, step: float) -> None:
    unit = Ignition.at_threshold(threshold)
    assert unit.ignition_threshold == pytest.approx(threshold)
    assert unit.low(threshold - 0.01) < 0.5 < unit.low(threshold + 0.01)
    between = (unit.extinction_threshold + threshold) / 2
    assert unit.low(between) < unit.unstable(between) < unit.high(between)
    assert unit.high(unit.extinction_threshold - 0.01) < 0.5
    for state in (unit.low(between), unit.unstable(between), unit.high(between)):
        assert unit.flow(state, between) == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="drive"):
        unit.unstable(threshold + step)


@given(SALIENCES, SALIENCES)
def test_the_competition_agrees_with_the_full_dynamics(first: float, second: float) -> None:
    """Two coalitions with lateral inhibition, integrated from rest, end where the closed form says."""
    dynamics = Dynamics()
    unit = Ignition.at_threshold(THRESHOLD)
    inputs = np.array([first, second])
    assume(abs(first - second) > 0.3)
    assume(all(abs(value - THRESHOLD) > 0.1 for value in inputs))
    assume(abs(inputs.min() - dynamics.inhibition - THRESHOLD) > 0.15)
    x = np.zeros(2)
    for _ in range(2000):
        drive = inputs - dynamics.inhibition * x[::-1]
        x += 0.05 * (-x + 1 / (1 + np.exp(-unit.beta * (unit.w * x + drive - unit.theta))))
    _, verdicts = _run(WorkspaceState(), ("a", first), ("b", second))
    strong, weak = ("a", "b") if first > second else ("b", "a")
    settled = dict(zip("ab", x, strict=True))
    assert verdicts[strong].ignited == (settled[strong] > 0.5)
    if inputs.min() > THRESHOLD + dynamics.inhibition + 0.15 or inputs.min() < THRESHOLD:
        assert verdicts[weak].ignited == (settled[weak] > 0.5)


def test_the_strongest_inhibits_the_others_and_is_named() -> None:
    _, verdicts = _run(WorkspaceState(), ("fovea", 1.0), ("flash", 0.8), ("dim", 0.2))
    assert verdicts["fovea"].explanation == "conscious"
    assert verdicts["flash"].reason is Reason.INHIBITED
    assert verdicts["flash"].explanation == "inhibited by fovea"
    assert verdicts["dim"].explanation == "below the ignition threshold"
    assert verdicts["fovea"].activation > 0.8 > 0.3 > verdicts["flash"].activation


def test_a_content_is_held_until_its_input_fades_below_the_lower_threshold() -> None:
    state, _ = _run(WorkspaceState(), ("a", 1.0))
    unit, dynamics = Ignition.at_threshold(THRESHOLD), Dynamics()
    holds = dynamics.fade_s * np.log(1.0 / unit.extinction_threshold)
    weak = (unit.extinction_threshold + THRESHOLD) / 2
    assert _run(state, ("a", weak), at=holds - 0.01)[1]["a"].ignited
    assert not _run(state, ("a", weak), at=holds + 0.01)[1]["a"].ignited
    assert not _run(WorkspaceState(), ("a", weak))[1]["a"].ignited


def test_a_second_target_is_blinked_but_spared_at_once_and_later() -> None:
    state, _ = _run(WorkspaceState(), ("first", 0.6))
    seen = {lag: _run(state, ("second", 0.9), at=lag)[1]["second"] for lag in (0.22, 0.6)}
    assert seen[0.22].reason is Reason.BLINKED
    assert seen[0.22].rival == "first"
    assert seen[0.6].ignited
    assert _run(state, ("second", 1.2), at=0.05)[1]["second"].ignited
    assert _run(state, ("first", 0.6), at=0.22)[1]["first"].ignited


def test_a_content_that_comes_again_and_again_habituates_and_recovers() -> None:
    state = WorkspaceState()
    reasons = []
    for i in range(12):
        state, verdicts = _run(state, ("drum", 0.56), at=0.8 * i)
        reasons.append(verdicts["drum"].reason)
    assert reasons[0] is None
    assert Reason.HABITUATED in reasons
    assert _run(state, ("drum", 0.56), at=30.0)[1]["drum"].ignited


def test_members_of_a_coalition_support_each_other() -> None:
    alone = [Candidate("a", 0.45, "one")]
    together = [Candidate(str(i), 0.45, "one") for i in range(3)]
    assert not compete(WorkspaceState(), alone, at=0, threshold=THRESHOLD)[1][0].ignited
    assert all(v.ignited for v in compete(WorkspaceState(), together, at=0, threshold=THRESHOLD)[1])


@given(STREAMS, st.floats(0, 1))
def test_capacity_is_never_exceeded(
    stream: list[tuple[float, tuple[Candidate, ...]]], arousal: float
) -> None:
    dynamics = Dynamics(inhibition=0.0)
    state, at = WorkspaceState(), 0.0
    for pause, candidates in stream:
        at += pause
        state, verdicts = compete(state, candidates, at=at, threshold=0.3, arousal=arousal, dynamics=dynamics)
        assert len(state.held) <= dynamics.room(arousal) <= 9
        conscious = {v.candidate.coalition for v in verdicts if v.ignited}
        assert conscious <= {item.coalition for item in state.held}
        assert len(verdicts) == len(candidates)


def test_whoever_finds_no_room_is_told_so() -> None:
    many = [Candidate(str(i), 1.0 + i / 100, coalition=f"c{i}") for i in range(9)]
    crowd = Dynamics(inhibition=0.0)
    _, verdicts = compete(WorkspaceState(), many, at=0, threshold=THRESHOLD, dynamics=crowd)
    assert sum(v.ignited for v in verdicts) == 7
    assert [v.reason for v in verdicts[:2]] == [Reason.EVICTED, Reason.EVICTED]
    assert (crowd.room(0.5), crowd.room(0.0), crowd.room(1.0)) == (7, 5, 5)


@given(STREAMS, st.randoms(use_true_random=False))
def test_the_order_of_candidates_does_not_matter(
    stream: list[tuple[float, tuple[Candidate, ...]]], shuffler: Any
) -> None:
    one = other = WorkspaceState()
    for pause, candidates in stream:
        shuffled = list(candidates)
        shuffler.shuffle(shuffled)
        one, verdicts = compete(one, candidates, at=pause, threshold=THRESHOLD)
        other, again = compete(other, shuffled, at=pause, threshold=THRESHOLD)
        assert one == other
        assert {v.candidate.source: v for v in verdicts} == {v.candidate.source: v for v in again}


@given(STREAMS, STREAMS)
def test_a_restored_workspace_goes_on_as_if_it_had_never_stopped(
    before: list[tuple[float, tuple[Candidate, ...]]], after: list[tuple[float, tuple[Candidate, ...]]]
) -> None:
    state, at = WorkspaceState(), 0.0
    for pause, candidates in before:
        at += pause
        state, _ = compete(state, candidates, at=at, threshold=THRESHOLD)
    restored = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=WorkspaceState)
    assert restored == state
    for pause, candidates in after:
        at += pause
        state, verdicts = compete(state, candidates, at=at, threshold=THRESHOLD)
        restored, again = compete(restored, candidates, at=at, threshold=THRESHOLD)
        assert (restored, again) == (state, verdicts)


def test_the_blink_follows_the_first_of_equals() -> None:
    crowd = Dynamics(inhibition=0.0)
    pair = [Candidate(name, 0.9, coalition=name) for name in "ba"]
    state, _ = compete(WorkspaceState(), pair, at=0, threshold=THRESHOLD, dynamics=crowd)
    assert state.ignited == "a"


def test_ties_go_to_the_first_name() -> None:
    for order in itertools.permutations("abc"):
        _, verdicts = _run(WorkspaceState(), *((name, 0.9) for name in order))
        assert [name for name in "abc" if verdicts[name].ignited] == ["a"]


def test_a_higher_threshold_lets_fewer_ignite() -> None:
    candidates = [Candidate("a", 0.7, "a")]
    assert compete(WorkspaceState(), candidates, at=0, threshold=0.6)[1][0].ignited
    assert not compete(WorkspaceState(), candidates, at=0, threshold=0.8)[1][0].ignited


def test_wrong_values_are_refused() -> None:
    with pytest.raises(ValueError, match="salience of a"):
        Candidate("a", float("nan"), "a")
    with pytest.raises(ValueError, match="capacity"):
        Dynamics(capacity=4)
    with pytest.raises(ValueError, match="inhibition"):
        Dynamics(inhibition=2.0)
    with pytest.raises(ValueError, match="beta"):
        Ignition(beta=0)
    with pytest.raises(ValueError, match="not bistable"):
        Ignition.at_threshold(0.5, beta=3.0)
