"""What each tier does for perception: everything, and everything but one tier, in six worlds."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import report
from emily_contracts import Signal, Stimulus, uuid7
from emily_world.settings import WorldSettings
from loopback import START, Models, Tiers, perceive, train

TIERS = ("alpha", "allostasis", "workspace", "hypotheses")
WORLDS: dict[str, dict[str, Any]] = {
    "clean": {"distractors": 0.0},
    "distractors": {"distractors": 0.8},
    "noise": {"noise": 4.0},
    "shift": {"shift_x": 1},
    "stress": {},
    "stress, noise": {"noise": 4.0},
}
"""The worlds that are not named for it have distractors in 3 of 10 looks."""

STRESSED = ("stress", "stress, noise")
STRAIN = 3.0
"""Load per core that the host had in the moments before, so that the body is on alert."""


def measure(models: Models, world: str, without: str | None, episodes: int) -> dict[str, float]:
    """Accuracy, mean looks and the time of all three steps, without one tier."""
    tiers = Tiers.of(models, without)
    settings = WorldSettings(run="benchmark", seed=models.seed, episodes=episodes, **WORLDS[world])
    if world in STRESSED:
        strain(tiers)
    score = perceive(tiers, settings)
    steps = (tiers.reflex.seconds, tiers.workspace.seconds, tiers.inference.seconds)
    milliseconds = 1e3 * np.sum(steps, axis=0)
    return {
        "accuracy": score.accuracy,
        "looks": score.mean_looks,
        "p50_ms": float(np.percentile(milliseconds, 50)),
        "p99_ms": float(np.percentile(milliseconds, 99)),
    }


def strain(tiers: Tiers) -> None:
    """Let the tiers feel an overloaded host for five moments."""
    for moment in range(5):
        at = START - timedelta(seconds=5 - moment)
        identity = uuid7(at, bytes(10))
        signals = (
            Signal(channel="load", values=(STRAIN,), intensity=STRAIN),
            Signal(channel="memory", values=(0.3,), intensity=0.3),
        )
        tiers.hear(
            Stimulus(
                id=identity,
                at=at,
                stimulus_id=identity,
                modality="interoception",
                subject="host",
                episode="host",
                signals=signals,
            )
        )


def main() -> None:
    """Measure, print a table and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--episodes", type=int, default=540)
    options = parser.parse_args()
    seeds = range(options.seeds)
    figures: dict[str, dict[str, Any]] = {world: {} for world in WORLDS}
    with tempfile.TemporaryDirectory() as folder:
        models = [train(seed, Path(folder)) for seed in seeds]
        print(
            f"{'world':<13}{'without':<13}{'accuracy':>9}{'(min-max)':>15}{'looks':>7}{'p50':>7}{'p99 ms':>8}"
        )
        for world in WORLDS:
            for without in (None, *TIERS):
                runs = [measure(of_seed, world, without, options.episodes) for of_seed in models]
                mean = {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}
                figures[world][without or "nothing"] = {"mean": mean, "runs": runs}
                accuracies = [run["accuracy"] for run in runs]
                print(
                    f"{world:<13}{without or 'nothing':<13}{mean['accuracy']:>9.4f}"
                    f"{min(accuracies):>9.3f}-{max(accuracies):.3f}{mean['looks']:>7.2f}"
                    f"{mean['p50_ms']:>7.2f}{mean['p99_ms']:>8.2f}",
                    flush=True,
                )
    figures["episodes"] = {"of each run": options.episodes}
    report.write("ablation", figures=figures, bars=[], versions=report.versions("numpy", "emily-inference"))


if __name__ == "__main__":
    main()
