"""What torch-hd does of `benchmarks/instinct.py`, run with the interpreter of `.venv-peers`; JSON to stdout.

`lookup`: times of Hamming similarity and clean-up over the class vectors. `digits`: accuracy of its record
encoder and centroid classifier (in float32) after one pass and after 3 and 20 adaptive epochs.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any

import torch
import torchhd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torchhd.models import Centroid

DIMENSION = 10_000
CLASSES = 1_000
PIXELS, GREYS, DIGITS = 64, 17, 10


def lookup(seed: int, repeats: int) -> dict[str, Any]:
    """Seconds of this thread that each lookup takes, of a random query among random class vectors."""
    torch.manual_seed(seed)
    memory = torchhd.random(CLASSES, DIMENSION, vsa="BSC")
    query = torchhd.random(1, DIMENSION, vsa="BSC")[0]
    lookups: dict[str, Callable[[], Any]] = {
        "similarity": lambda: torchhd.hamming_similarity(query, memory).argmax(),
        "cleanup": lambda: torchhd.cleanup(query, memory),
    }
    seconds: dict[str, Any] = {}
    for name, look in lookups.items():
        look()
        seconds[name] = []
        for _ in range(repeats):
            start = time.thread_time()
            look()
            seconds[name].append(time.thread_time() - start)
    return seconds


def digits(seeds: int) -> dict[str, Any]:
    """Accuracy on the test digits by way of training, one number for each seed of the hypervectors."""
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(images, labels, test_size=0.3, stratify=labels, random_state=0)
    train_images, test_images, train_labels, test_labels = (torch.tensor(part) for part in parts)
    accuracy: dict[str, list[float]] = {"add": [], "add_adapt_3": [], "add_adapt_20": []}
    for seed in range(seeds):
        torch.manual_seed(seed)
        places = torchhd.random(PIXELS, DIMENSION)
        greys = torchhd.level(GREYS, DIMENSION)

        def encode(images: Any, places: Any = places, greys: Any = greys) -> Any:
            records = [torchhd.multiset(torchhd.bind(places, greys[image.long()])) for image in images]
            return torchhd.normalize(torch.stack(records))

        examples, tests = encode(train_images), encode(test_images)

        def score(model: Any, tests: Any = tests) -> float:
            return float((model(tests).argmax(1) == test_labels).double().mean())

        centroid = Centroid(DIMENSION, DIGITS)
        centroid.add(examples, train_labels)
        accuracy["add"].append(score(centroid))
        for epoch in range(1, 21):
            for example, label in zip(examples, train_labels, strict=True):
                centroid.add_adapt(example[None], label[None])
            if f"add_adapt_{epoch}" in accuracy:
                accuracy[f"add_adapt_{epoch}"].append(score(centroid))
    return accuracy


def main() -> None:
    """Print the figures of one task: `lookup SEED REPEATS` or `digits SEEDS`."""
    torch.set_num_threads(1)
    task, *numbers = sys.argv[1:]
    tasks: dict[str, Callable[..., dict[str, Any]]] = {"lookup": lookup, "digits": digits}
    figures = tasks[task](*map(int, numbers))
    versions = {name: metadata.version(name) for name in ("torch", "torch-hd")}
    print(json.dumps({"figures": figures, "versions": versions}))


if __name__ == "__main__":
    main()
