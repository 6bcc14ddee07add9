"""Pictures that are learned from are never looked at, and a seed is a training file to the byte."""

import json
from pathlib import Path

import numpy as np
import pytest
from emily_world.dataset import Pictures, load_digits, main, showing, split
from hypothesis import given, settings
from hypothesis import strategies as st

DIGITS = load_digits()


def rows(pictures: Pictures) -> list[bytes]:
    return [
        image.tobytes() + bytes([label])
        for image, label in zip(pictures.images, pictures.labels, strict=True)
    ]


def test_the_digits_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits as reference  # noqa: PLC0415 - takes seconds, only needed here

    expected = reference()
    assert np.array_equal(DIGITS.images, expected.data)
    assert np.array_equal(DIGITS.labels, expected.target)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_split_keeps_every_picture_once_and_every_digit_in_proportion(seed: int) -> None:
    parts = split(DIGITS, seed)
    assert (len(parts.train.labels), len(parts.test.labels)) == (1257, 540)
    assert sorted(rows(parts.train) + rows(parts.test)) == sorted(rows(DIGITS))
    shares = np.bincount(parts.test.labels) / np.bincount(DIGITS.labels)
    assert np.abs(shares - 0.3).max() < 0.01


def test_a_seed_is_a_split() -> None:
    assert rows(split(DIGITS, 3).test) == rows(split(DIGITS, 3).test)
    assert rows(split(DIGITS, 3).test) != rows(split(DIGITS, 4).test)


def test_the_training_file_is_the_same_bytes_for_the_same_seed(tmp_path: Path) -> None:
    for name in ("one.npz", "two.npz"):
        main(["--seed", "5", "--out", str(tmp_path / "models" / name)])
    one, two = (tmp_path / "models" / name for name in ("one.npz", "two.npz"))
    assert one.read_bytes() == two.read_bytes()
    with np.load(one, allow_pickle=False) as arrays:
        header = json.loads(str(arrays["header"]))
        assert rows(Pictures(images=arrays["images"], labels=arrays["labels"])) == rows(
            split(DIGITS, 5).train
        )
    assert header["seed"] == 5
    assert header["part"] == "train"
    assert sorted(path.name for path in one.parent.iterdir()) == ["one.npz", "two.npz"]


def test_a_missing_option_is_told_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--seed", "0"])
    assert ended.value.code == 2
    assert "--out" in capsys.readouterr().err


def test_only_the_named_digits_are_shown_in_their_order() -> None:
    pictures = split(load_digits(), 0).test
    shown = showing(pictures, (3, 8))
    assert set(shown.labels.tolist()) == {3, 8}
    kept = [label for label in pictures.labels.tolist() if label in {3, 8}]
    assert shown.labels.tolist() == kept
    assert showing(pictures, ()) is pictures
