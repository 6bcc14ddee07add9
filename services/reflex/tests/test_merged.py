"""Laws of a reflex mind whose subjects come partly from another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emily_reflex.state import MOST_SUBJECTS, Glimpse, Habit, ReflexState, merged
from hypothesis import given
from hypothesis import strategies as st

SUBJECTS = [f"s{number}" for number in range(12)]
MOVES = st.sets(st.sampled_from(SUBJECTS)).map(lambda movers: movers.__contains__)

type Moves = Callable[[object], bool]


@st.composite
def states(draw: st.DrawFn) -> ReflexState:
    """What somebody has lived through, with a threat that tells whose body it is."""
    touched = st.dictionaries(st.sampled_from(SUBJECTS), st.integers(1, 40), max_size=12)
    greys = st.dictionaries(st.integers(0, 63), st.floats(0, 16), max_size=3)
    seen = {
        subject: Glimpse(episode=draw(st.sampled_from("ab")), seen=draw(greys), touched=at)
        for subject, at in draw(touched).items()
    }
    felt = {
        subject: Habit(usual={"load": draw(st.floats(0, 1))}, touched=at)
        for subject, at in draw(touched).items()
    }
    events = max((trace.touched for trace in (*seen.values(), *felt.values())), default=0)
    return ReflexState(
        events=events + draw(st.integers(0, 3)),
        glimpses=seen,
        habits=felt,
        threats={"vision": draw(st.floats(0, 1))},
    )


def remembered(state: ReflexState) -> dict[str, Any]:
    """Everything about subjects, with its age in events."""
    seen = {
        f"{name} seen": (g.episode, g.seen, state.events - g.touched) for name, g in state.glimpses.items()
    }
    felt = {f"{name} felt": (h.usual, state.events - h.touched) for name, h in state.habits.items()}
    return seen | felt


@given(states())
def test_a_fresh_mind_that_is_given_all_remembers_just_that(other: ReflexState) -> None:
    together = merged(ReflexState(), other, lambda _: True)
    assert (together.glimpses, together.habits) == (other.glimpses, other.habits)
    assert together == other or other.events == 0


@given(states(), states())
def test_a_mind_that_is_given_nobody_remembers_whom_it_did(own: ReflexState, other: ReflexState) -> None:
    assert remembered(merged(own, other, lambda _: False)) == remembered(own)


@given(states(), states(), MOVES)
def test_each_subject_comes_from_where_it_was(own: ReflexState, other: ReflexState, moves: Moves) -> None:
    expected = {key: trace for key, trace in remembered(own).items() if not moves(key.split()[0])}
    expected |= {key: trace for key, trace in remembered(other).items() if moves(key.split()[0])}
    assert remembered(merged(own, other, moves)) == expected


@given(states(), states(), MOVES)
def test_being_given_the_same_twice_changes_nothing_more(
    own: ReflexState, other: ReflexState, moves: Moves
) -> None:
    once = merged(own, other, moves)
    assert merged(once, other, moves) == once


@given(states(), states(), MOVES)
def test_the_body_is_that_of_the_elder_and_stays_where_both_are_as_old(
    own: ReflexState, other: ReflexState, moves: Moves
) -> None:
    elder = other if other.events > own.events else own
    together = merged(own, other, moves)
    assert (together.threats, together.events) == (elder.threats, elder.events)


def test_no_more_subjects_are_remembered_than_the_bound() -> None:
    def crowd(name: str) -> ReflexState:
        traces = {f"{name}{at}": Glimpse(episode="a", seen={}, touched=at) for at in range(1, 201)}
        return ReflexState(events=200, glimpses=traces)

    together = merged(crowd("own"), crowd("given"), lambda subject: subject.startswith("given"))
    assert len(together.glimpses) == MOST_SUBJECTS
    assert min(trace.touched for trace in together.glimpses.values()) == 200 - MOST_SUBJECTS // 2 + 1
