"""The digits world does as it is told, tells the truth afterwards, and is the same world every time."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from emily_contracts import Act, Action, Decision, Message, Outcome, Scene, Status, Stimulus, successor_id
from emily_world.dataset import load_digits, split
from emily_world.digits import FIRST_PLACE, MOMENT, MOST_LOOKS, DigitsState, DigitsWorld
from emily_world.settings import WorldSettings
from hypothesis import given, settings
from hypothesis import strategies as st

START = datetime(2026, 1, 1, tzinfo=UTC)
PICTURES = split(load_digits(), 0).test

Mind = Callable[[Stimulus, int], Act]


def world(run: str = "run", **given: Any) -> DigitsWorld:
    return DigitsWorld(WorldSettings(**given), PICTURES, run=run, start=START)


def decision(stimulus: Stimulus, act: Act, status: Status = Status.DECIDED) -> Decision:
    return Decision(
        id=successor_id(stimulus.id, "decision"),
        at=stimulus.at,
        stimulus_id=stimulus.id,
        modality=stimulus.modality,
        subject=stimulus.subject,
        episode=stimulus.episode,
        status=status,
        act=act,
    )


def look(place: int) -> Act:
    return Act(kind="look", place=place)


def report(digit: int) -> Act:
    return Act(kind="report", label=str(digit))


def three_looks(stimulus: Stimulus, look_number: int) -> Act:
    return look(look_number) if look_number < 3 else report(look_number)


def play(world: DigitsWorld, mind: Mind, subject: int = 0) -> tuple[DigitsState, list[Message]]:
    state, emissions = world.begin(subject)
    heard = [message for _, message in emissions]
    while state.pending is not None:
        act = mind(state.pending, len(state.looks))
        state, emissions = world.step(state, decision(state.pending, act))
        heard += [message for _, message in emissions]
    return state, heard


def of_type[T: Message](messages: list[Message], kind: type[T]) -> list[T]:
    return [message for message in messages if isinstance(message, kind)]


def test_an_episode_opens_with_its_scene_and_a_look_at_the_first_place() -> None:
    _, ((_, scene), (_, stimulus)) = world().begin()
    assert isinstance(scene, Scene)
    assert isinstance(stimulus, Stimulus)
    assert scene.values == tuple(PICTURES.images[0])
    assert scene.label == str(PICTURES.labels[0])
    assert stimulus.signals[0].place == FIRST_PLACE
    assert stimulus.signals[0].values == (PICTURES.images[0][FIRST_PLACE],)


@given(place=st.integers(0, 63))
def test_the_eye_goes_where_the_mind_asks(place: int) -> None:
    start, _ = world().begin()
    assert start.pending is not None
    state, ((_, action), (_, stimulus)) = world().step(start, decision(start.pending, look(place)))
    assert isinstance(action, Action)
    assert isinstance(stimulus, Stimulus)
    assert action.act == look(place)
    assert stimulus.signals[0].place == place
    assert stimulus.at == start.pending.at + MOMENT
    assert state.looks == (FIRST_PLACE, place)


def test_a_report_is_answered_with_the_truth_and_the_next_picture() -> None:
    start, _ = world(episodes=2).begin()
    assert start.pending is not None
    truth = int(PICTURES.labels[0])
    for digit, reward in ((truth, 1.0), ((truth + 1) % 10, -1.0)):
        state, emissions = world(episodes=2).step(start, decision(start.pending, report(digit)))
        _, outcome, scene, stimulus = (message for _, message in emissions)
        assert isinstance(outcome, Outcome)
        assert (outcome.reward, outcome.label) == (reward, str(truth))
        assert outcome.stimulus_id == start.pending.id
        assert isinstance(scene, Scene)
        assert scene.index == 1
        assert isinstance(stimulus, Stimulus)
        assert stimulus.episode != start.pending.episode
        assert state.score.correct == int(reward > 0)


def test_a_run_is_the_same_bit_for_bit() -> None:
    for strategy in ("active", "random", "whole"):
        given: dict[str, Any] = {
            "episodes": 5,
            "distractors": 0.5,
            "strategy": strategy,
            "noise": 2.0,
            "shift_x": 1,
        }
        assert play(world(**given), three_looks) == play(world(**given), three_looks)


def test_another_run_has_other_ids_and_the_same_pictures() -> None:
    _, one = play(world("one", episodes=3), three_looks)
    _, two = play(world("two", episodes=3), three_looks)
    assert not {message.id for message in one} & {message.id for message in two}
    assert [scene.values for scene in of_type(one, Scene)] == [scene.values for scene in of_type(two, Scene)]
    assert [s.signals for s in of_type(one, Stimulus)] == [s.signals for s in of_type(two, Stimulus)]


def test_ids_are_never_repeated_and_time_never_stands_still() -> None:
    _, heard = play(world(episodes=10), three_looks)
    ids = [message.id for message in heard]
    assert len(set(ids)) == len(ids)
    moments = [message.at for message in heard if isinstance(message, Stimulus | Outcome)]
    assert moments == sorted(set(moments))


@settings(max_examples=20, deadline=None)
@given(subjects=st.integers(1, 7))
def test_subjects_share_the_pictures_and_each_is_seen_once(subjects: int) -> None:
    several = world(episodes=20, subjects=subjects)
    runs = [play(several, three_looks, subject) for subject in range(subjects)]
    scenes = [scene for _, heard in runs for scene in of_type(heard, Scene)]
    assert sorted(scene.index for scene in scenes) == list(range(20))
    assert len({scene.subject for scene in scenes}) == subjects
    assert sum(state.score.episodes for state, _ in runs) == 20


def test_subjects_side_by_side_take_turns_in_time() -> None:
    several = world(episodes=9, subjects=3)
    heard = [message for subject in range(3) for message in play(several, three_looks, subject)[1]]
    moments = [message.at for message in heard if isinstance(message, Stimulus | Outcome)]
    assert len(set(moments)) == len(moments)
    assert max(moments) - min(moments) == (len(moments) - 1) * MOMENT


def test_a_random_eye_sees_unseen_places_and_teaches_nothing() -> None:
    _, heard = play(world(episodes=3, strategy="random"), lambda _, n: look(0) if n < 20 else report(1))
    places = [stimulus.signals[0].place for stimulus in of_type(heard, Stimulus)]
    assert all(len(set(places[start : start + 20])) == 20 for start in (0, 20, 40))
    assert of_type(heard, Outcome) == []


def test_the_whole_picture_is_shown_at_once_and_teaches_nothing() -> None:
    state, heard = play(
        world(episodes=3, strategy="whole"), lambda stimulus, _: report(len(stimulus.signals))
    )
    assert [stimulus.signals[0].values for stimulus in of_type(heard, Stimulus)] == [
        tuple(image) for image in PICTURES.images[:3]
    ]
    assert of_type(heard, Outcome) == []
    assert state.score.looks == 3


def test_nothing_is_told_when_the_mind_is_not_to_learn() -> None:
    _, heard = play(world(episodes=3, learn=False), three_looks)
    assert of_type(heard, Outcome) == []


def test_an_eye_that_only_looks_is_wrong_after_the_most_looks() -> None:
    state, heard = play(world(episodes=1), lambda _, n: look(n % 64))
    (outcome,) = of_type(heard, Outcome)
    assert outcome.reward == -1.0
    assert (state.score.episodes, state.score.correct, state.score.looks) == (1, 0, MOST_LOOKS)
    assert not of_type(heard, Action)[-1].done


@pytest.mark.parametrize(
    ("act", "status"),
    [
        (look(3), Status.FAILED),
        (Act(kind="none"), Status.DEGRADED),
        (Act(kind="look"), Status.DECIDED),
        (look(64), Status.DECIDED),
        (Act(kind="report"), Status.DECIDED),
    ],
)
def test_what_cannot_be_done_brings_the_same_look_again(act: Act, status: Status) -> None:
    start, _ = world(distractors=1.0).begin()
    assert start.pending is not None
    state, ((_, stimulus),) = world(distractors=1.0).step(start, decision(start.pending, act, status))
    assert isinstance(stimulus, Stimulus)
    assert stimulus.id != start.pending.id
    assert stimulus.signals == start.pending.signals
    assert (state.looks, state.score.retries) == (start.looks, 1)


def test_an_episode_without_answers_is_given_up_and_counted() -> None:
    retrying = world(episodes=2, retries=2)
    state, _ = retrying.begin()
    for _ in range(3):
        state, emissions = retrying.unanswered(state)
    assert (state.score.failed, state.score.retries, state.score.episodes) == (1, 2, 0)
    assert isinstance(emissions[0][1], Scene)
    for _ in range(3):
        state, emissions = retrying.unanswered(state)
    assert state.pending is None
    assert emissions == ()
    assert retrying.unanswered(state) == (state, ())


def test_a_late_answer_to_an_earlier_stimulus_changes_nothing() -> None:
    start, _ = world().begin()
    assert start.pending is not None
    resent, _ = world().unanswered(start)
    assert world().step(resent, decision(start.pending, report(1))) == (resent, ())


def test_the_score_is_what_was_reported() -> None:
    state, heard = play(world(episodes=30), lambda _, n: look(n) if n < 4 else report(7))
    assert state.score.episodes == 30
    assert state.score.correct == int((PICTURES.labels[:30] == 7).sum())
    assert state.score.correct == sum(outcome.reward > 0 for outcome in of_type(heard, Outcome))
    assert state.score.mean_looks == 4.0
    assert state.score.accuracy == state.score.correct / 30
