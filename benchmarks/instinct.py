"""Tier 1 beside torch-hd: look-up among 1,000 classes, accuracy on digits, and one whole reflex step.

Look-ups alternate with the peer's, round by round, so that a drift of the machine hits both; both run in one
thread and are timed by its own clock, which leaves out what other processes take. The reflex step is timed by
that clock and by the wall's, which its bar is about. The bandwidth and the margins of training were chosen by
cross-validation on the training part of the digits alone.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import json
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import report
from emily_instinct import hypervector
from emily_instinct.allostasis import Body
from emily_instinct.alpha import AlphaOscillator
from emily_instinct.appraisal import Appraisal, feel
from emily_instinct.classifier import Classifier, train
from emily_instinct.encoders import FourierEncoder, RecordEncoder
from emily_instinct.item_memory import ItemMemory
from emily_instinct.modulation import modulation
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

PEER = (".venv-peers/bin/python", "benchmarks/peers/torch_hd.py")
ROOT = Path(__file__).parents[1]
LOOKUP_DIMENSION, CLASSES = 10_000, 1_000
DIMENSION = 4096
BANDWIDTH, FOURIER_MARGIN, RECORD_MARGIN = 28.0, 0.15, 0.05
CHANNELS = ("fovea", "flash-0", "flash-1")

type Parts = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]


def ask_peer(task: str, *numbers: int) -> dict[str, Any]:
    """Figures and versions of a task of the peer, in a fresh process."""
    command = [str(ROOT / PEER[0]), str(ROOT / PEER[1]), task, *map(str, numbers)]
    answer = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=900
    )
    document: dict[str, Any] = json.loads(answer.stdout)
    return document


def timed(act: Callable[[], object], repeats: int) -> list[float]:
    """Seconds of this thread that each call takes, the first few thrown away."""
    seconds = []
    for _ in range(repeats + 10):
        start = time.thread_time()
        act()
        seconds.append(time.thread_time() - start)
    return seconds[10:]


def lookup(seed: int, repeats: int) -> dict[str, list[float]]:
    """Seconds of each look-up of a random query among random class vectors."""
    rng = np.random.default_rng(seed)
    items = hypervector.random(CLASSES, LOOKUP_DIMENSION, rng)
    (query,) = hypervector.random(1, LOOKUP_DIMENSION, rng)
    memory = ItemMemory(labels=tuple(map(str, range(CLASSES))), items=items, dimension=LOOKUP_DIMENSION)
    return {
        "similarity": timed(lambda: int(np.argmin(hypervector.distance(items, query))), repeats),
        "cleanup": timed(lambda: memory.cleanup(query), repeats),
    }


def compare_lookups(rounds: int) -> tuple[dict[str, Any], dict[str, str]]:
    """Times of both and their ratio, for each kind of look-up."""
    ours, peers = [], []
    for seed in range(rounds):
        ours.append(lookup(seed, repeats=300))
        peers.append(ask_peer("lookup", seed, 20))
    figures = {}
    for kind in ("similarity", "cleanup"):
        mine = [one[kind] for one in ours]
        theirs = [one["figures"][kind] for one in peers]
        ratios = [float(np.median(b) / np.median(a)) for a, b in zip(mine, theirs, strict=True)]
        figures[kind] = {
            "ours_us": spread(np.concatenate(mine)),
            "torchhd_us": spread(np.concatenate(theirs)),
            "ratio": {"median": float(np.median(ratios)), "min": min(ratios), "max": max(ratios)},
        }
    return figures, peers[0]["versions"]


def spread(seconds: Sequence[float] | NDArray[np.float64]) -> dict[str, float]:
    """Median and 99th percentile in microseconds."""
    return {"p50": 1e6 * float(np.percentile(seconds, 50)), "p99": 1e6 * float(np.percentile(seconds, 99))}


def split() -> Parts:
    """The digits: 70 % to learn from, 30 % to test with, stratified, seed 0."""
    images, labels = load_digits(return_X_y=True)
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, labels, test_size=0.3, stratify=labels, random_state=0
    )
    return train_images, test_images, train_labels, test_labels


def train_fourier(parts: Parts, seed: int) -> Classifier[FourierEncoder]:
    """Packed prototypes of random Fourier features."""
    rng = np.random.default_rng(seed)
    encoder = FourierEncoder.create(inputs=64, dimension=DIMENSION, bandwidth=BANDWIDTH, rng=rng)
    return train(encoder, parts[0], [str(label) for label in parts[2]], rng=rng, margin=FOURIER_MARGIN)


def train_record(parts: Parts, seed: int) -> Classifier[RecordEncoder]:
    """Packed prototypes of records of pixels."""
    rng = np.random.default_rng(seed)
    encoder = RecordEncoder.create(fields=64, levels=17, low=0, high=16, dimension=DIMENSION, rng=rng)
    return train(encoder, parts[0], [str(label) for label in parts[2]], rng=rng, margin=RECORD_MARGIN)


def accuracy(model: Classifier[FourierEncoder] | Classifier[RecordEncoder], parts: Parts) -> float:
    """Share of the test digits that are recognised, query and prototypes packed."""
    recognised = [int(model.classify(image).label) for image in parts[1]]
    return float(np.mean(np.array(recognised) == parts[3]))


def reflex_step(model: Classifier[FourierEncoder], parts: Parts, repeats: int) -> NDArray[np.float64]:
    """`(repeats, 2)` wall and thread seconds of each whole step.

    A step encodes 64 pixels, recognises them, gates three channels, feels the surprise and modulates.
    """
    oscillator, body = AlphaOscillator(), Body()
    seconds = []
    for i in range(repeats + 10):
        image, at = parts[1][i % len(parts[1])], 0.01 * i
        wall, thread = time.perf_counter(), time.thread_time()
        match = model.classify(image)
        oscillator = oscillator.reset(at).attend({"fovea": 0.1})
        oscillator.gate((1.0, 0.6, 1.4), at, CHANNELS)
        body = feel(body, at, Appraisal(surprise=match.novelty))
        modulation(body)
        seconds.append((time.perf_counter() - wall, time.thread_time() - thread))
    return np.array(seconds[10:])


def over_seeds(values: Sequence[float]) -> dict[str, Any]:
    """Mean and range over the seeds of the hypervectors."""
    return {"mean": float(np.mean(values)), "min": min(values), "max": max(values), "runs": list(values)}


def main() -> None:
    """Measure, print a table and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of alternating look-ups")
    parser.add_argument("--seeds", type=int, default=10, help="of hypervectors")
    options = parser.parse_args()
    lookups, peer_versions = compare_lookups(options.rounds)
    parts = split()
    fourier = [accuracy(train_fourier(parts, seed), parts) for seed in range(options.seeds)]
    record = [accuracy(train_record(parts, seed), parts) for seed in range(options.seeds)]
    peer_digits = ask_peer("digits", 3)["figures"]
    model = train_fourier(parts, seed=0)
    steps = [reflex_step(model, parts, repeats=3000) for _ in range(options.rounds)]
    wall = spread(np.concatenate(steps)[:, 0])
    step = {
        "wall": wall,
        "thread": spread(np.concatenate(steps)[:, 1]),
        "wall_p99_by_round": [spread(one[:, 0])["p99"] for one in steps],
    }
    figures = {
        "load_average": os.getloadavg(),
        "lookup": {"dimension": LOOKUP_DIMENSION, "classes": CLASSES, **lookups},
        "digits": {
            "packed_dimension": DIMENSION,
            "packed_fourier": over_seeds(fourier),
            "packed_record": over_seeds(record),
            "torchhd_float_record": {name: over_seeds(values) for name, values in peer_digits.items()},
        },
        "reflex_step_us": step,
        "model_bytes": {"packed_prototypes": model.memory.items.nbytes, "file": len(model.to_bytes())},
    }
    bars = [
        report.bar("Hamming look-up, times faster than torch-hd", ratio(lookups, "similarity"), ">=", 50),
        report.bar("clean-up, times faster than torch-hd", ratio(lookups, "cleanup"), ">=", 50),
        report.bar("digits, packed, seed 0", fourier[0], ">=", 0.955),
        report.bar(f"digits, packed, mean of {options.seeds} seeds", float(np.mean(fourier)), ">=", 0.955),
        report.bar("reflex step p99, ms", wall["p99"] / 1e3, "<", 1.0),
    ]
    print(json.dumps(figures, indent=1))
    versions = report.versions("numpy", "scikit-learn", "emily-instinct") | peer_versions
    report.write("instinct", figures=figures, bars=bars, versions=versions)


def ratio(lookups: dict[str, Any], kind: str) -> float:
    """Median over the rounds of the peer's time over ours."""
    return float(lookups[kind]["ratio"]["median"])


if __name__ == "__main__":
    main()
