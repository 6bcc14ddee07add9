"""An eye sees one place truly; what flashes beside it is of another picture."""

import numpy as np
from emily_world.eye import FLASH_INTENSITY, FOVEA, MOST_FLASHES, Eye
from hypothesis import given
from hypothesis import strategies as st

IMAGES = np.arange(3 * 64, dtype=np.float64).reshape(3, 64) / 12
places = st.integers(0, 63)
looks = st.integers(1, 64)
seeds = st.integers(0, 2**31)


@given(seed=seeds, episode=st.integers(0, 100), look=looks, place=places)
def test_the_fovea_is_the_picture_and_flashes_are_not(seed: int, episode: int, look: int, place: int) -> None:
    fovea, *flashes = Eye(IMAGES, distractors=1.0, seed=seed).glance(episode, look, place)
    assert (fovea.channel, fovea.place, fovea.intensity) == (FOVEA, place, 1.0)
    assert fovea.values == (IMAGES[episode % 3, place],)
    assert 1 <= len(flashes) <= MOST_FLASHES
    assert len({flash.place for flash in flashes} | {place}) == len(flashes) + 1
    for flash in flashes:
        assert flash.place is not None
        assert flash.values[0] != IMAGES[episode % 3, flash.place]
        assert FLASH_INTENSITY[0] <= flash.intensity <= FLASH_INTENSITY[1]


@given(seed=seeds, episode=st.integers(0, 100), look=looks, place=places)
def test_the_same_look_again_is_the_same_look(seed: int, episode: int, look: int, place: int) -> None:
    one, two = (Eye(IMAGES, distractors=0.5, seed=seed) for _ in range(2))
    assert one.glance(episode, look, place) == two.glance(episode, look, place)


def test_distractors_come_as_often_as_asked() -> None:
    disturbed = [len(Eye(IMAGES, distractors=0.3, seed=0).glance(look, 1, 9)) > 1 for look in range(2000)]
    assert 0.25 < np.mean(disturbed) < 0.35
    assert all(len(Eye(IMAGES, distractors=0.0, seed=0).glance(look, 1, 9)) == 1 for look in range(100))


@given(seed=seeds, seen=st.sets(places, max_size=63))
def test_wandering_finds_an_unseen_place(seed: int, seen: set[int]) -> None:
    eye = Eye(IMAGES, distractors=0.0, seed=seed)
    assert eye.wander(0, sorted(seen)) not in seen


def test_a_survey_is_the_whole_picture_without_a_place() -> None:
    (signal,) = Eye(IMAGES, distractors=1.0, seed=0).survey(4)
    assert signal.place is None
    assert signal.values == tuple(IMAGES[1])
