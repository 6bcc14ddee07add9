"""Real handwritten digits, split into those that may be learned from and those that are only looked at.

`python -m emily_world.dataset --seed 0 --out FILE.npz` writes the first part for the trainers.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

TEST_SHARE = 0.3
FORMAT = 1


class Pictures(msgspec.Struct, frozen=True, kw_only=True):
    """Pictures of handwritten digits and what they show.

    Attributes:
        images: (N, 64) grey in [0, 16], row by row from the upper left.
        labels: (N,) digits from 0 to 9.
    """

    images: NDArray[np.float64]
    labels: NDArray[np.int64]


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """Pictures to learn from and pictures to be tested with; none is in both."""

    train: Pictures
    test: Pictures


def load_digits() -> Pictures:
    """The 1,797 8x8 digits in scikit-learn's wheel, read as a file: importing scikit-learn takes seconds.

    Source: Alpaydin & Kaynak (1998), Optical Recognition of Handwritten Digits, UCI repository.
    """
    package = importlib.util.find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError(
            "sklearn: not installed; the digits are in its wheel (pip install scikit-learn)"
        )
    path = Path(package.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"
    table = np.loadtxt(path, delimiter=",")
    return Pictures(images=table[:, :-1], labels=table[:, -1].astype(np.int64))


def split(pictures: Pictures, seed: int, test_share: float = TEST_SHARE) -> Split:
    """A split, drawn with `seed`, in which each digit has the same share of both parts.

    The test part is in random order.
    """
    rng = np.random.default_rng(seed)
    standing = np.empty(len(pictures.labels))
    for digit in np.unique(pictures.labels):
        members = np.flatnonzero(pictures.labels == digit)
        standing[rng.permutation(members)] = (np.arange(len(members)) + 0.5) / len(members)
    order = np.argsort(standing, kind="stable")
    tests = int(np.ceil(test_share * len(order)))
    test, train = rng.permutation(order[:tests]), np.sort(order[tests:])
    return Split(train=_part(pictures, train), test=_part(pictures, test))


def showing(pictures: Pictures, digits: Sequence[int]) -> Pictures:
    """Those of the pictures that show one of the digits, in their order; all when none is named."""
    return _part(pictures, np.flatnonzero(np.isin(pictures.labels, digits))) if digits else pictures


def save_training_part(pictures: Pictures, path: Path, seed: int) -> None:
    """Write the training pictures as arrays with a JSON header, whole or not at all."""
    digest = hashlib.sha256(pictures.images.tobytes() + pictures.labels.tobytes()).hexdigest()[:16]
    header = json.dumps({"format": FORMAT, "kind": "digits", "part": "train", "seed": seed, "hash": digest})
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.unfinished")
    with unfinished.open("wb") as file:
        np.savez_compressed(file, header=np.array(header), images=pictures.images, labels=pictures.labels)
    unfinished.replace(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the training part of the digits to a file."""
    parser = argparse.ArgumentParser(prog="python -m emily_world.dataset", description=main.__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the split, >= 0 (default 0)")
    parser.add_argument("--out", type=Path, required=True, help="the .npz file to write")
    options = parser.parse_args(arguments)
    save_training_part(split(load_digits(), options.seed).train, options.out, options.seed)


def _part(pictures: Pictures, indices: NDArray[np.intp]) -> Pictures:
    return Pictures(images=pictures.images[indices], labels=pictures.labels[indices])


if __name__ == "__main__":
    main()
