"""Trains the digits model: `python -m emily_inference.train --data FILE --out FILE`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emily_inference.vision.model import save
from emily_inference.vision.training import train


def main(arguments: Sequence[str] | None = None) -> None:
    """Learn the digits model from labelled pictures and write it to a file."""
    parser = argparse.ArgumentParser(prog="python -m emily_inference.train", description=main.__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="pictures, from python -m emily_world.dataset"
    )
    parser.add_argument("--out", type=Path, required=True, help="the .npz file to write")
    parser.add_argument("--seed", type=int, default=0, help="of the first styles, >= 0 (default 0)")
    options = parser.parse_args(arguments)
    with np.load(options.data, allow_pickle=False) as pictures:
        model = train(pictures["images"], pictures["labels"], seed=options.seed)
    save(model, options.out)
    print(f"{options.out}: model {model.hash}")


if __name__ == "__main__":
    main()
