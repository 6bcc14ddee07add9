"""How well and how briefly Emily looks at digits: active, random and whole, over five splits of real data.

Every picture is one of the test part; models are trained, and everything was tuned, on training parts only.
Distractors flash in 3 of 10 looks. A look is one stimulus; a look that is repeated counts again.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import tempfile
from pathlib import Path
from typing import Any, get_args

import numpy as np
import report
from emily_world.settings import Strategy, WorldSettings
from loopback import Models, Tiers, perceive, train

EPISODES = 540


def measure(models: Models, strategy: Strategy) -> dict[str, float]:
    """Accuracy, mean looks and step times of one run over the test part of a split."""
    tiers = Tiers.of(models)
    settings = WorldSettings(run="benchmark", seed=models.seed, episodes=EPISODES, strategy=strategy)
    score = perceive(tiers, settings)
    milliseconds = 1e3 * np.array(tiers.inference.seconds)
    return {
        "accuracy": score.accuracy,
        "looks": score.mean_looks,
        "inference_p50_ms": float(np.percentile(milliseconds, 50)),
        "inference_p99_ms": float(np.percentile(milliseconds, 99)),
    }


def summary(runs: list[dict[str, float]]) -> dict[str, Any]:
    """Mean, lowest and highest of each figure over the seeds."""
    table = {name: [run[name] for run in runs] for name in runs[0]}
    return {
        name: {"mean": float(np.mean(values)), "min": min(values), "max": max(values), "runs": values}
        for name, values in table.items()
    }


def main() -> None:
    """Measure, print a table and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    seeds = range(parser.parse_args().seeds)
    runs: dict[str, list[dict[str, float]]] = {strategy: [] for strategy in get_args(Strategy)}
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            models = train(seed, Path(folder))
            for strategy in get_args(Strategy):
                runs[strategy].append(measure(models, strategy))
    figures = {strategy: summary(of_strategy) for strategy, of_strategy in runs.items()}
    print(f"{'strategy':<10}{'accuracy':>10}{'(min-max)':>16}{'looks':>8}{'(min-max)':>16}")
    for strategy, figure in figures.items():
        accuracy, looks = figure["accuracy"], figure["looks"]
        print(
            f"{strategy:<10}{accuracy['mean']:>10.4f}{accuracy['min']:>9.3f}-{accuracy['max']:.3f} "
            f"{looks['mean']:>8.2f}{looks['min']:>9.2f}-{looks['max']:.2f}"
        )
    mean = {strategy: {name: figure[name]["mean"] for name in figure} for strategy, figure in figures.items()}
    active, wander, whole = mean["active"], mean["random"], mean["whole"]
    bars = [
        report.bar("accuracy of active looking", active["accuracy"], ">=", 0.955),
        report.bar("looks of active looking, of 64", active["looks"], "<=", 9.0),
        report.bar(
            "accuracy of the whole picture less active", whole["accuracy"] - active["accuracy"], "<=", 0.01
        ),
        report.bar("looks of random / active", wander["looks"] / active["looks"], ">=", 2.0),
        report.bar("accuracy of random less active", wander["accuracy"] - active["accuracy"], "<=", 0.0),
    ]
    report.write(
        "perception", figures=figures, bars=bars, versions=report.versions("numpy", "emily-inference")
    )


if __name__ == "__main__":
    main()
