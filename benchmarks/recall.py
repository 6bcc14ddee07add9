"""What recall adds to perception: the same pictures with and without it, in even and one-sided worlds.

Two systems of their own, both with memory; one of them does not ask it. In the last world a subject that
was shown 3 and 8 is shown 1 and 4: what memory lets expect is wrong then. Its pictures are of another
split, so part of them was learned from; that helps both sides alike.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import secrets
import statistics
import tempfile
import time
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import report
from emily import launch
from emily.system import Layout, free_port, parts
from emily.world_process import run_world
from prometheus_client.parser import text_string_to_metric_families

WORLDS: dict[str, tuple[str, ...]] = {
    "all digits": ("",),
    "5 of 10 digits": ("0,2,4,6,8",),
    "1, 4 and 7": ("1,4,7",),
    "3 and 8": ("3,8",),
    "3 and 8, then 1 and 4": ("3,8", "1,4"),
}
"""Which digits are shown, one stage after the other; the last stage is measured."""

WORLD_DEADLINE_S = 300.0
MOMENT_S = 0.04
"""Between two looks in the world's own time, which runs ahead: the next stage begins when it is over."""
READY_DEADLINE_S = 60.0


def measured(ablate: tuple[str, ...], models: Path, seed: int, episodes: int) -> dict[str, Any]:
    """Accuracy and looks in each world, and how long a question took."""
    with tempfile.TemporaryDirectory(prefix="emily-recall-") as folder:
        layout = Layout(
            state_dir=Path(folder), bus_port=free_port(), http_port=free_port(), ablate=ablate, seed=seed
        )
        layout.models.symlink_to(models)
        with launch.temporarily(layout, lambda *_: None):
            _until_memory_is_ready(layout)
            worlds = {}
            for name, stages in WORLDS.items():
                run = f"recall-{secrets.token_hex(3)}"
                for stage, shown in enumerate(stages):
                    settings = {"run": run, "episodes": episodes, "seed": seed + stage, "only": shown}
                    summary = anyio.run(partial(run_world, layout, settings, deadline_s=WORLD_DEADLINE_S))
                    if stage + 1 < len(stages):
                        time.sleep(summary["looks"] * MOMENT_S)
                worlds[name] = {key: summary[key] for key in ("accuracy", "mean_looks", "failed")}
                side = "without recall" if ablate else "with recall"
                print(f"{seed} {side:<16}{name:<24}{worlds[name]}", flush=True)
            return {"worlds": worlds, "questions": _questions(layout)}


def mean(runs: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Of each figure of each world over the seeds."""
    return {
        world: {
            figure: round(statistics.fmean(run["worlds"][world][figure] for run in runs), 4)
            for figure in ("accuracy", "mean_looks")
        }
        for world in WORLDS
    }


def _until_memory_is_ready(layout: Layout) -> None:
    (memory,) = (part for part in parts(layout) if part.name == "memory")
    deadline = time.monotonic() + READY_DEADLINE_S
    while not launch.readiness(layout, memory)[0]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"memory was not ready in {READY_DEADLINE_S:g} s")
        time.sleep(0.05)


def _questions(layout: Layout) -> dict[str, float]:
    """How many were answered, and how long they took on average."""
    (inference,) = (part for part in parts(layout) if part.name == "inference")
    address = json.loads(layout.announcement(inference).read_text())["http"]
    with urllib.request.urlopen(f"{address}/metrics", timeout=5.0) as response:
        families = text_string_to_metric_families(response.read().decode())
        samples = {
            (sample.name, sample.labels.get("result", "")): sample.value
            for family in families
            for sample in family.samples
        }
    asked = samples.get(("emily_question_seconds_count", ""), 0.0)
    seconds = samples.get(("emily_question_seconds_sum", ""), 0.0)
    return {
        "asked": asked,
        "answered": samples.get(("emily_questions_total", "answered"), 0.0),
        "mean_ms": round(1e3 * seconds / asked, 2) if asked else 0.0,
    }


def main() -> None:
    """Measure and write `results/recall.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=150, help="pictures in each world (default 150)")
    parser.add_argument("--seeds", type=int, default=3, help="splits of the pictures (default 3)")
    options = parser.parse_args()
    sides: dict[str, tuple[str, ...]] = {"with recall": (), "without recall": ("recall",)}
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    for seed in range(options.seeds):
        with tempfile.TemporaryDirectory(prefix="emily-recall-models-") as folder:
            trained = Layout(state_dir=Path(folder), seed=seed)
            launch.prepare(trained, lambda *_: None)
            for side, ablate in sides.items():
                runs[side].append(measured(ablate, trained.models, seed, options.episodes))
    figures = {
        "episodes": options.episodes,
        "mean": {side: mean(each) for side, each in runs.items()},
        "runs": runs,
    }
    report.write("recall", figures=figures, bars=[], versions=report.versions("eclipse-zenoh", "numpy"))


if __name__ == "__main__":
    main()
