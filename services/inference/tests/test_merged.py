"""Laws of an inference mind whose subjects come partly from another one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from emily_contracts import Act, Broadcast, Decision, Status, uuid7
from emily_inference.interoception import Feeling
from emily_inference.service import Inference
from emily_inference.settings import InferenceSettings
from emily_inference.state import InferenceState
from emily_inference.state import merged as merged_state
from emily_inference.vision.beliefs import Reading
from emily_inference.vision.knowledge import Knowledge, innate
from emily_inference.vision.model import VisionModel
from emily_inference.vision.sight import Gaze
from emily_runtime.checkpoint import encode_state
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

START = datetime(2026, 1, 1, tzinfo=UTC)
SUBJECTS = [f"s{number}" for number in range(12)]
MOVES = st.sets(st.sampled_from(SUBJECTS)).map(lambda movers: movers.__contains__)
MOST = 24
ANSWERS = 20

type Moves = Callable[[object], bool]
type Lived = Callable[[Knowledge], InferenceState]

merged = partial(merged_state, subjects=MOST, answers=ANSWERS, experiences=MOST)


def answer(number: int) -> tuple[str, Decision]:
    at = START + timedelta(milliseconds=number)
    stimulus = uuid7(at, number.to_bytes(10))
    decision = Decision(
        id=uuid7(at, bytes(10)),
        at=at,
        stimulus_id=stimulus,
        modality="vision",
        subject=SUBJECTS[number % len(SUBJECTS)],
        episode="a",
        status=Status.DECIDED,
        act=Act(kind="none"),
    )
    return str(stimulus), decision


@st.composite
def lives(draw: st.DrawFn) -> Lived:
    """What somebody has lived through, once it is known what was innate."""
    touched = st.dictionaries(st.sampled_from(SUBJECTS), st.integers(1, 40), max_size=12)
    gazes = {
        subject: Gaze(episode=draw(st.sampled_from("ab")), seen=(Reading(at % 64, 1, 1.0),), touched=at)
        for subject, at in draw(touched).items()
    }
    feelings = {
        subject: Feeling(expected=(draw(st.floats(0, 1)),) * 4, touched=at)
        for subject, at in draw(touched).items()
    }
    answered = draw(st.sets(st.integers(0, 99), max_size=ANSWERS))
    events = max((trace.touched for trace in (*gazes.values(), *feelings.values())), default=0)
    episodes = draw(st.integers(0, 5))
    return lambda knowledge: InferenceState(
        vision=replace(knowledge, episodes=episodes),
        events=events,
        gazes=gazes,
        feelings=feelings,
        answered=dict(answer(number) for number in sorted(answered)),
        cold_start=f"{events}",
    )


@pytest.fixture(scope="session")
def knowledge(model: VisionModel) -> Knowledge:
    return innate(model, 0)


def encode(state: InferenceState) -> bytes:
    return encode_state(state, name="inference", version=1)


def remembered(state: InferenceState) -> dict[tuple[str, str], Any]:
    """Everything about subjects but answers, by subject and sense, with its age in events."""
    seen = {
        (name, "seen"): (gaze.episode, gaze.seen, state.events - gaze.touched)
        for name, gaze in state.gazes.items()
    }
    felt = {
        (name, "felt"): (feeling.expected, state.events - feeling.touched)
        for name, feeling in state.feelings.items()
    }
    return seen | felt


@given(other=lives())
def test_a_fresh_mind_that_is_given_all_remembers_just_that(knowledge: Knowledge, other: Lived) -> None:
    given_state = other(knowledge)
    together = merged(InferenceState(vision=knowledge), given_state, lambda _: True)
    assert remembered(together) == remembered(given_state)
    assert together.answered == given_state.answered
    assert encode(together) == encode(given_state) or given_state.vision.episodes == 0


@given(own=lives(), other=lives())
def test_a_mind_that_is_given_nobody_remembers_whom_it_did(
    knowledge: Knowledge, own: Lived, other: Lived
) -> None:
    together = merged(own(knowledge), other(knowledge), lambda _: False)
    assert remembered(together) == remembered(own(knowledge))
    assert together.answered == own(knowledge).answered


@given(own=lives(), other=lives(), moves=MOVES)
def test_each_subject_comes_from_where_it_was(
    knowledge: Knowledge, own: Lived, other: Lived, moves: Moves
) -> None:
    own_state, given_state = own(knowledge), other(knowledge)
    expected = {key: trace for key, trace in remembered(own_state).items() if not moves(key[0])}
    expected |= {key: trace for key, trace in remembered(given_state).items() if moves(key[0])}
    together = merged(own_state, given_state, moves)
    assert remembered(together) == expected
    for stimulus, decision in together.answered.items():
        source = given_state if moves(decision.subject) else own_state
        assert source.answered[stimulus] == decision


@given(own=lives(), other=lives(), moves=MOVES)
def test_being_given_the_same_twice_changes_nothing_more(
    knowledge: Knowledge, own: Lived, other: Lived, moves: Moves
) -> None:
    once = merged(own(knowledge), other(knowledge), moves)
    assert encode(merged(once, other(knowledge), moves)) == encode(once)


@given(own=lives(), other=lives(), moves=MOVES)
def test_what_is_known_is_that_of_who_learned_more_and_stays_where_both_learned_as_much(
    knowledge: Knowledge, own: Lived, other: Lived, moves: Moves
) -> None:
    own_state, given_state = own(knowledge), other(knowledge)
    learned = given_state if given_state.vision.episodes > own_state.vision.episodes else own_state
    together = merged(own_state, given_state, moves)
    assert together.vision is learned.vision
    assert together.cold_start == learned.cold_start


@given(own=lives(), other=lives(), moves=MOVES)
def test_the_bounds_hold_and_the_newest_answers_are_kept(
    knowledge: Knowledge, own: Lived, other: Lived, moves: Moves
) -> None:
    own_state, given_state = own(knowledge), other(knowledge)
    together = merged_state(own_state, given_state, moves, subjects=5, answers=7, experiences=MOST)
    assert len(together.gazes) <= 5
    assert len(together.feelings) <= 5
    everything = merged_state(
        own_state, given_state, moves, subjects=MOST, answers=2 * ANSWERS, experiences=MOST
    ).answered
    assert sorted(together.answered) == sorted(everything)[-7:]


def test_a_mind_that_started_cold_says_so_in_its_decisions(
    model_file: Path, show: Callable[..., Broadcast]
) -> None:
    mind = Inference(InferenceSettings(model=model_file))
    for why in ("", "it holds inference in version 9"):
        _, ((_, said), *_) = mind.step(mind.started_cold(mind.initial(), why), show(("fovea", 27, (12.0,))))
        assert isinstance(said, Decision)
        assert said.provenance is not None
        assert said.provenance.cold_start == why


def test_a_mind_heeds_its_own_bounds_when_subjects_come(
    model_file: Path, show: Callable[..., Broadcast]
) -> None:
    mind = Inference(InferenceSettings(model=model_file, subjects=2, answers=3))
    own, other = mind.initial(), mind.initial()
    for subject in ("ann", "bob"):
        own, _ = mind.step(own, show(("fovea", 27, (12.0,)), subject=subject))
    for subject in ("cid", "dan"):
        other, _ = mind.step(other, show(("fovea", 27, (12.0,)), subject=subject))
    together = mind.merged(own, other, lambda subject: subject in {"cid", "dan"})
    assert len(together.gazes) == 2
    assert len(together.answered) == 3
