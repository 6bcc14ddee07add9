"""A picture is recognised from some of its places, better from more, and the memory survives its file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from emily_reflex.errors import ModelUnusable
from emily_reflex.recognition import PLACES, VisionMemory, load, recognise, save, train
from emily_reflex.train import main
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

type Figures = Callable[[int, int], tuple[NDArray[np.float64], NDArray[np.int64]]]

greys = st.dictionaries(st.integers(0, PLACES - 1), st.floats(-20, 40), min_size=1)


def share_recognised(memory: VisionMemory, figures: Figures, places: int) -> float:
    pictures, labels = figures(2, 20)
    rng = np.random.default_rng(0)
    right = 0
    for picture, label in zip(pictures, labels, strict=True):
        chosen = rng.choice(PLACES, places, replace=False).tolist()
        right += recognise(memory, {place: picture[place] for place in chosen}).label == str(label)
    return right / len(labels)


def test_more_places_are_recognised_better(memory: VisionMemory, figures: Figures) -> None:
    shares = [share_recognised(memory, figures, places) for places in (1, 4, 12, PLACES)]
    assert shares == sorted(shares)
    assert shares[0] > 0.1
    assert shares[2] > 0.7
    assert shares[3] > 0.99


@given(seen=greys)
def test_any_glimpse_is_placed_on_the_scale(memory: VisionMemory, seen: dict[int, float]) -> None:
    match = recognise(memory, seen)
    assert match.label in {str(digit) for digit in range(10)}
    assert 0 <= match.margin <= match.similarity <= 1
    assert match.novelty == 1 - match.similarity


@given(seen=greys)
def test_the_order_of_looks_does_not_matter(memory: VisionMemory, seen: dict[int, float]) -> None:
    assert recognise(memory, seen) == recognise(memory, dict(reversed(seen.items())))


def test_a_saved_memory_recognises_the_same(memory: VisionMemory, figures: Figures, tmp_path: Path) -> None:
    save(memory, tmp_path / "models" / "memory.npz")
    restored = load(tmp_path / "models" / "memory.npz")
    for picture in figures(3, 2)[0]:
        seen = dict(enumerate(picture.tolist()))
        assert recognise(restored, seen) == recognise(memory, seen)


def test_a_seed_is_a_memory_to_the_byte(figures: Figures) -> None:
    one, two, other = (train(*figures(1, 3), seed=seed).to_bytes() for seed in (4, 4, 5))
    assert one == two
    assert one != other


def test_a_missing_model_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match=r"model: .*none\.npz does not exist.*emily_reflex\.train"):
        load(tmp_path / "none.npz")


def test_a_file_that_is_no_model_is_refused(memory: VisionMemory, tmp_path: Path) -> None:
    for content in (b"", b"something else", memory.to_bytes()[:-100]):
        (tmp_path / "broken.npz").write_bytes(content)
        with pytest.raises(ModelUnusable, match=r"model: .*broken\.npz can't be used"):
            load(tmp_path / "broken.npz")


def test_the_command_trains_from_a_data_file(figures: Figures, memory: VisionMemory, tmp_path: Path) -> None:
    pictures, labels = figures(1, 10)
    np.savez(tmp_path / "data.npz", images=pictures, labels=labels)
    main(["--data", str(tmp_path / "data.npz"), "--out", str(tmp_path / "out.npz")])
    assert (tmp_path / "out.npz").read_bytes() == memory.to_bytes()
