"""Laws of putting together what two minds remember of subjects."""

from __future__ import annotations

from collections.abc import Callable

from emily_runtime.subjects import Trace, put_together
from hypothesis import given
from hypothesis import strategies as st


class Told(Trace, frozen=True, kw_only=True):
    """What a mind was told of a subject."""

    word: str


SUBJECTS = st.sampled_from([f"s{number}" for number in range(12)])
MOVES = st.sets(SUBJECTS).map(lambda movers: movers.__contains__)
MOST = 8


@st.composite
def minds(draw: st.DrawFn) -> tuple[dict[str, Told], int]:
    """Traces of at most MOST subjects, each touched once, and the events heard."""
    touched = draw(st.dictionaries(SUBJECTS, st.integers(1, 50), max_size=MOST))
    traces = {subject: Told(word=draw(st.text(max_size=3)), touched=at) for subject, at in touched.items()}
    return traces, max(touched.values(), default=0) + draw(st.integers(0, 5))


type Mind = tuple[dict[str, Told], int]
type Moves = Callable[[object], bool]


def together(own: Mind, given: Mind, moves: Moves, most: int = MOST) -> Mind:
    traces = put_together(own[0], given[0], moves, own_events=own[1], given_events=given[1], most=most)
    return traces, max(own[1], given[1])


def ages(mind: Mind) -> dict[str, tuple[str, int]]:
    traces, events = mind
    return {subject: (trace.word, events - trace.touched) for subject, trace in traces.items()}


@given(minds())
def test_a_fresh_mind_that_is_given_all_remembers_just_that(other: Mind) -> None:
    assert together(({}, 0), other, lambda _: True) == other


@given(minds(), minds())
def test_a_mind_that_is_given_nobody_remembers_what_it_did(own: Mind, other: Mind) -> None:
    assert ages(together(own, other, lambda _: False)) == ages(own)


@given(minds(), minds(), MOVES)
def test_who_moves_is_known_as_the_other_knew_him_and_nobody_else_is(
    own: Mind, other: Mind, moves: Moves
) -> None:
    expected = {subject: age for subject, age in ages(own).items() if not moves(subject)}
    expected |= {subject: age for subject, age in ages(other).items() if moves(subject)}
    assert ages(together(own, other, moves, most=24)) == expected


@given(minds(), minds(), MOVES)
def test_being_given_the_same_twice_changes_nothing_more(own: Mind, other: Mind, moves: Moves) -> None:
    once = together(own, other, moves)
    assert together(once, other, moves) == once


@given(minds(), minds(), MOVES)
def test_no_more_are_remembered_than_the_bound_and_the_recent_ones_are(
    own: Mind, other: Mind, moves: Moves
) -> None:
    everybody, bounded = ages(together(own, other, moves, most=24)), ages(together(own, other, moves))
    assert len(bounded) == min(MOST, len(everybody))
    forgotten = [age for subject, (_, age) in everybody.items() if subject not in bounded]
    assert max((age for _, age in bounded.values()), default=0) <= min(forgotten, default=100)


@given(minds(), minds(), MOVES)
def test_the_next_event_is_newer_than_every_trace(own: Mind, other: Mind, moves: Moves) -> None:
    traces, events = together(own, other, moves)
    assert all(0 <= trace.touched <= events for trace in traces.values())
