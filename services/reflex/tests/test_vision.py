"""Places add up within an episode; what does not fit a picture is refused by name."""

from collections.abc import Callable

import pytest
from emily_contracts import Signal, Stimulus
from emily_reflex.recognition import VisionMemory
from emily_reflex.vision import look, recognise
from emily_runtime import Refused

type Sense = Callable[..., Stimulus]


def fovea(place: int, grey: float) -> Signal:
    return Signal(channel="fovea", place=place, values=(grey,))


def flash(place: int, grey: float) -> Signal:
    return Signal(channel="flash-0", place=place, values=(grey,))


def test_looks_of_an_episode_add_up_and_a_new_episode_begins_empty(sense: Sense) -> None:
    first = look(sense(fovea(3, 1.0)), None, 1)
    second = look(sense(fovea(9, 2.0)), first, 2)
    assert second.seen == {3: 1.0, 9: 2.0}
    assert first.seen == {3: 1.0}
    assert look(sense(fovea(9, 2.0), episode="second"), second, 3).seen == {9: 2.0}


def test_only_what_is_attended_is_seen(sense: Sense) -> None:
    aimed = sense(fovea(3, 1.0), flash(9, 16.0), attended="fovea")
    assert look(aimed, None, 1).seen == {3: 1.0}
    aimless = sense(fovea(3, 1.0), flash(9, 16.0))
    assert look(aimless, None, 1).seen == {3: 1.0, 9: 16.0}


def test_a_signal_without_a_place_is_the_whole_picture(sense: Sense) -> None:
    whole = Signal(channel="fovea", values=tuple(map(float, range(64))))
    assert look(sense(whole), None, 1).seen == {place: float(place) for place in range(64)}


@pytest.mark.parametrize(
    ("signal", "field"),
    [
        (Signal(channel="fovea", place=64, values=(1.0,)), r"signals\[0\]\.place: 64"),
        (Signal(channel="fovea", place=3, values=(1.0, 2.0)), r"signals\[0\]\.values: 2 given"),
        (Signal(channel="fovea", values=(1.0,) * 63), r"signals\[0\]\.values: 63 given"),
    ],
)
def test_what_does_not_fit_a_picture_is_refused_by_name(sense: Sense, signal: Signal, field: str) -> None:
    with pytest.raises(Refused, match=field):
        look(sense(signal), None, 1)


def test_attending_to_nothing_that_is_there_is_refused(sense: Sense) -> None:
    with pytest.raises(Refused, match="attended: 'ear'"):
        look(sense(fovea(3, 1.0), attended="ear"), None, 1)


def test_the_usual_novelty_of_few_places_does_not_surprise(memory: VisionMemory, sense: Sense) -> None:
    glimpse = look(sense(fovea(3, 1.0)), None, 1)
    expected: dict[int, float] = {}
    for _ in range(20):
        impression, expected = recognise(glimpse, memory, expected)
        assert impression.surprise == 0.0
    assert 0 < impression.similarity < 1


def test_what_is_more_novel_than_usual_surprises(memory: VisionMemory, sense: Sense) -> None:
    glimpse = look(sense(fovea(3, 1.0)), None, 1)
    impression, learned = recognise(glimpse, memory, {1: 0.0})
    assert impression.surprise == 1.0
    assert 0 < learned[1] < 1 - impression.similarity
