"""Learning to recognise digits: `python -m emily_reflex.train --data FILE.npz --out FILE.npz`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emily_reflex.recognition import save, train


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the item memory of vision on the training part of the digits."""
    parser = argparse.ArgumentParser(prog="python -m emily_reflex.train", description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="written by python -m emily_world.dataset")
    parser.add_argument("--out", type=Path, required=True, help="the model file to write")
    parser.add_argument("--seed", type=int, default=0, help="of the hypervectors, >= 0 (default 0)")
    options = parser.parse_args(arguments)
    with np.load(options.data, allow_pickle=False) as data:
        images, labels = data["images"], data["labels"]
    save(train(images, labels, seed=options.seed), options.out)


if __name__ == "__main__":
    main()
