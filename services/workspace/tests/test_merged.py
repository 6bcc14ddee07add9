"""Laws of a workspace whose subjects come partly from another one."""

from __future__ import annotations

from collections.abc import Callable

from emily_cognition.workspace import WorkspaceState
from emily_workspace.state import MOST_SUBJECTS, Stream, Streams
from hypothesis import given
from hypothesis import strategies as st

SUBJECTS = [f"s{number}" for number in range(12)]
MOVES = st.sets(st.sampled_from(SUBJECTS)).map(lambda movers: movers.__contains__)

type Moves = Callable[[object], bool]


@st.composite
def streams(draw: st.DrawFn) -> Streams:
    """What somebody has lived through."""
    touched = draw(st.dictionaries(st.sampled_from(SUBJECTS), st.integers(1, 40), max_size=12))
    return Streams(
        events=max(touched.values(), default=0) + draw(st.integers(0, 3)),
        by_subject={
            subject: Stream(competition=WorkspaceState(), touched=at) for subject, at in touched.items()
        },
    )


def ages(state: Streams) -> dict[str, int]:
    return {subject: state.events - stream.touched for subject, stream in state.by_subject.items()}


@given(streams())
def test_a_fresh_workspace_that_is_given_all_remembers_just_that(other: Streams) -> None:
    assert Streams().merged(other, lambda _: True) == other


@given(streams(), streams())
def test_a_workspace_that_is_given_nobody_remembers_whom_it_did(own: Streams, other: Streams) -> None:
    assert ages(own.merged(other, lambda _: False)) == ages(own)


@given(streams(), streams(), MOVES)
def test_each_subject_comes_from_where_it_was(own: Streams, other: Streams, moves: Moves) -> None:
    expected = {subject: age for subject, age in ages(own).items() if not moves(subject)}
    expected |= {subject: age for subject, age in ages(other).items() if moves(subject)}
    assert ages(own.merged(other, moves)) == expected


@given(streams(), streams(), MOVES)
def test_being_given_the_same_twice_changes_nothing_more(own: Streams, other: Streams, moves: Moves) -> None:
    once = own.merged(other, moves)
    assert once.merged(other, moves) == once


def test_no_more_subjects_are_remembered_than_the_bound() -> None:
    def crowd(name: str) -> Streams:
        streams = {f"{name}{at}": Stream(competition=WorkspaceState(), touched=at) for at in range(1, 201)}
        return Streams(events=200, by_subject=streams)

    together = crowd("own").merged(crowd("given"), lambda subject: subject.startswith("given"))
    assert len(together.by_subject) == MOST_SUBJECTS
