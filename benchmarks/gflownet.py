"""The GFlowNet against torchgfn on hypergrids: exact L1 distance at equal trajectories, and speed.

Each round trains three times on each grid from one seed: ours by trajectory balance alone, like the peer;
ours with replay, which besides retraces some remembered objects (a quarter of the batch); and the peer. All
draw equally many objects. Networks, their single precision and the rates are equal: a perceptron of 2 x 256,
1e-3, 0.1 for log Z. L1 is sum |P_T - p|.
Times are CPU seconds of one thread, which other work on the machine disturbs less than those on the wall.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import json
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import report
from emily_cognition.gflownet import (
    RECIPES,
    Environment,
    GFlowNet,
    HyperGrid,
    HypothesisSet,
    Recipe,
    diversity,
    fit,
)
from emily_cognition.gflownet.evaluation import l1_distance
from emily_cognition.gflownet.recipe import TRAJECTORY_BALANCE, TRAJECTORY_BALANCE_WITH_REPLAY

ROOT = Path(__file__).parents[1]
PEER = [str(ROOT / ".venv-peers/bin/python"), str(ROOT / "benchmarks/peers/torch_gfn.py")]
PEER_TIMEOUT_S = 600


@dataclass(frozen=True)
class Grid:
    """A task: its size and how it is trained."""

    dimensions: int
    height: int
    batch: int
    iterations: int
    replayed: int
    least_speedup: float

    @property
    def name(self) -> str:
        return f"{self.dimensions}-D H={self.height}, {self.batch * self.iterations} trajectories"

    @property
    def recipes(self) -> dict[str, Recipe]:
        replay = replace(TRAJECTORY_BALANCE_WITH_REPLAY, batch=self.batch, replayed=self.replayed)
        return {"TB": replace(TRAJECTORY_BALANCE, batch=self.batch), "TB + replay": replay}


GRIDS = (Grid(2, 8, 16, 500, 4, 8.0), Grid(2, 16, 64, 250, 16, 8.0), Grid(4, 8, 64, 200, 16, 3.0))


def train(environment: Environment, recipe: Recipe, iterations: int, seed: int) -> tuple[float, float]:
    """CPU seconds of training, and the exact L1 distance afterwards."""
    rng = np.random.default_rng(seed)
    model = GFlowNet.create(environment, rng)
    start = time.process_time()
    model, _ = fit(model, environment, recipe, iterations=iterations, rng=rng)
    seconds = time.process_time() - start
    return seconds, l1_distance(model.distribution(environment), environment.target)


def peer(seed: int) -> dict[str, Any]:
    """One round of torchgfn on all grids."""
    grids = [f"{grid.dimensions},{grid.height},{grid.batch},{grid.iterations}" for grid in GRIDS]
    output = subprocess.run(
        [*PEER, str(seed), *grids],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=PEER_TIMEOUT_S,
    )
    answer: dict[str, Any] = json.loads(output.stdout)
    return answer


def rounds(count: int) -> tuple[dict[str, dict[str, list[float]]], dict[str, str]]:
    """By grid, the L1 distances and seconds of each sampler in each round; the peer's versions."""
    figures: dict[str, dict[str, list[float]]] = {grid.name: {} for grid in GRIDS}
    versions: dict[str, str] = {}
    for seed in range(count):
        for grid in GRIDS:
            environment = HyperGrid(grid.dimensions, grid.height).environment()
            for name, recipe in grid.recipes.items():
                seconds, l1 = train(environment, recipe, grid.iterations, seed)
                figures[grid.name].setdefault(f"{name} seconds", []).append(seconds)
                figures[grid.name].setdefault(f"{name} l1", []).append(l1)
        answer = peer(seed)
        versions = answer["versions"]
        for grid, result in zip(GRIDS, answer["results"], strict=True):
            figures[grid.name].setdefault("torchgfn seconds", []).append(result["seconds"])
            figures[grid.name].setdefault("torchgfn l1", []).append(result["l1"])
    return figures, versions


def summary(grid: Grid, figures: dict[str, list[float]]) -> dict[str, Any]:
    """Means and spread of one grid."""
    result: dict[str, Any] = {}
    for name in ("TB", "TB + replay", "torchgfn"):
        seconds, l1 = np.array(figures[f"{name} seconds"]), np.array(figures[f"{name} l1"])
        speedup = np.array(figures["torchgfn seconds"]) / seconds
        result[name] = {
            "l1_mean": float(l1.mean()),
            "l1_spread": float(l1.std()),
            "trajectories_per_second": float(grid.batch * grid.iterations / np.median(seconds)),
            "speedup_median": float(np.median(speedup)),
            "speedup_least": float(speedup.min()),
            "speedup_most": float(speedup.max()),
        }
    return result


def hypotheses() -> dict[str, Any]:
    """100 hypotheses whose evidence changes: CPU milliseconds and total variation after V2 relearned."""
    rng = np.random.default_rng(0)
    vocabulary = HypothesisSet({"right": range(-2, 3), "down": range(-2, 3), "noise": range(4)})
    environment = vocabulary.environment(rng.normal(0.0, 1.0, 100))
    model = GFlowNet.create(environment, rng, hidden=(64, 64))
    model, _ = fit(model, environment, RECIPES["V2"], iterations=200, rng=rng)
    milliseconds, distances = [], []
    for _ in range(20):
        environment = environment.rewarded(environment.log_reward + rng.normal(0.0, 0.5, 100))
        start = time.process_time()
        model, _ = fit(model.anew(), environment, RECIPES["V2"], iterations=20, rng=rng)
        milliseconds.append(1e3 * (time.process_time() - start))
        sample = model.sample(environment, 100, rng)
        found = diversity(environment, sample.objects, model.distribution(environment))
        distances.append(found.total_variation)
    return {
        "relearn_ms_median": float(np.median(milliseconds)),
        "relearn_ms_p99": float(np.quantile(milliseconds, 0.99)),
        "total_variation_median": float(np.median(distances)),
        "total_variation_most": float(np.max(distances)),
    }


def main() -> None:
    """Print a row a sampler and write the bars."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    count = parser.parse_args().rounds
    raw, versions = rounds(count)
    figures: dict[str, Any] = {"rounds": count, "hypotheses": hypotheses()}
    bars = []
    for grid in GRIDS:
        figures[grid.name] = found = summary(grid, raw[grid.name])
        for name, row in found.items():
            print(
                f"{grid.name:<34} {name:<11} L1 {row['l1_mean']:.4f} +- {row['l1_spread']:.4f}"
                f"  {row['trajectories_per_second']:>8.0f}/s  x{row['speedup_median']:.1f}"
            )
        ours, theirs = found["TB + replay"], found["torchgfn"]
        bars.append(
            report.bar(f"{grid.name}: exact L1, ours with replay", ours["l1_mean"], "<=", theirs["l1_mean"])
        )
        bars.append(
            report.bar(
                f"{grid.name}: speed of ours with replay over torchgfn",
                ours["speedup_median"],
                ">=",
                grid.least_speedup,
            )
        )
    print(f"relearning 100 hypotheses: {figures['hypotheses']}")
    report.write("gflownet", figures=figures, bars=bars, versions=versions | report.versions("numpy"))


if __name__ == "__main__":
    main()
