"""Tier 3 beside pymdp: whole steps of an agent, on one thread, and the first step of a fresh process.

A whole step infers states, weighs policies, chooses an action and expects the next states. Ours is exact
(joint Bayes, float64), pymdp's is mean field (float32) under jit, or without jit as its documentation shows.
Rounds alternate, so that a drift of the machine hits both, and ratios are taken round by round. Steps are
timed on the wall and on the process's own clock, which leaves out what others take; bars are of the wall.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import report
from emily_cognition.active_inference import (
    Agent,
    GenerativeModel,
    Policies,
    Search,
    conditional_entropy,
    information_gain,
)
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
PEER = (".venv-peers/bin/python", "benchmarks/peers/inferactively_pymdp.py")
GOLDEN = ROOT / "tests" / "golden" / "pymdp_tmaze_len2.json"
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
FIRST_STEP = """
import json, sys
from emily_cognition.active_inference import Agent, GenerativeModel, Policies
import numpy as np
case = next(iter(json.load(open(sys.argv[1])).values()))
model = GenerativeModel.create(**case["model"])
agent = Agent(model=model, policies=Policies.enumerated(model, case["policy_len"]))
agent.step(agent.initial(), case["episode"][0], np.random.default_rng(0))
"""

WALL, PROCESSOR = 0, 1

type Case = dict[str, Any]
type Seconds = NDArray[np.float64]
"""(steps, 2): wall seconds and processor seconds of each."""


def cases() -> dict[str, Case]:
    """Models, lengths of policies and an episode of observations each, by name."""
    golden = json.loads(GOLDEN.read_text())
    names = ("A", "B", "C", "D", "A_dependencies", "B_dependencies")
    maze = {name: golden[name] for name in names}
    found = {"tmaze_25": {"model": maze, "policy_len": 2, "episode": [s["obs"] for s in golden["steps"]]}}
    for controls, length in (((4, 1), 3), ((4, 4), 2), ((4, 4), 3)):
        policies = int(np.prod(controls)) ** length
        found[f"two_factors_{policies}"] = two_factors(controls, length)
    return found


def two_factors(controls: tuple[int, int], length: int) -> Case:
    """Two factors of 16 states seen through two modalities of 16 outcomes."""
    rng = np.random.default_rng(0)

    def distributions(*shape: int) -> list[Any]:
        weights = rng.gamma(1.0, size=shape)
        drawn: list[Any] = (weights / weights.sum(axis=0)).tolist()
        return drawn

    model = {
        "A": [distributions(16, 16, 16) for _ in range(2)],
        "B": [distributions(16, 16, count) for count in controls],
        "C": rng.normal(size=(2, 16)).tolist(),
        "D": [distributions(16) for _ in range(2)],
        "A_dependencies": [[0, 1], [0, 1]],
        "B_dependencies": [[0], [1]],
    }
    return {"model": model, "policy_len": length, "episode": rng.integers(0, 16, size=(8, 2)).tolist()}


def agent_of(case: Case) -> Agent:
    """The agent of a case."""
    model = GenerativeModel.create(**case["model"])
    return Agent(model=model, policies=Policies.enumerated(model, case["policy_len"]))


def live(agent: Agent, case: Case, enough: Callable[[int, float], bool]) -> Seconds:
    """Seconds of each whole step."""
    rng = np.random.default_rng(0)
    seconds: list[tuple[float, float]] = []
    begin, prior = time.perf_counter(), agent.model.D
    while not enough(len(seconds), time.perf_counter() - begin):
        at = len(seconds) % len(case["episode"])
        row = case["episode"][at]
        prior = agent.model.D if at == 0 else prior
        wall, processor = time.perf_counter(), time.process_time()
        qs = agent.infer_states(row, prior)
        q_pi, _ = agent.infer_policies(qs)
        action = agent.sample_action(q_pi, rng)
        prior = agent.update_empirical_prior(action, qs)
        seconds.append((time.perf_counter() - wall, time.process_time() - processor))
    return np.array(seconds)


def ask_peer(task: str, path: Path, *numbers: float) -> dict[str, Any]:
    """Figures and versions of a task of the peer, in a fresh process."""
    command = [str(ROOT / PEER[0]), str(ROOT / PEER[1]), task, str(path), *map(str, numbers)]
    answer = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
        env=os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": ONE_THREAD},
    )
    document: dict[str, Any] = json.loads(answer.stdout)
    return document


def spread(seconds: NDArray[np.float64]) -> dict[str, float]:
    """Median and 99th percentile in microseconds."""
    return {"p50": 1e6 * float(np.quantile(seconds, 0.5)), "p99": 1e6 * float(np.quantile(seconds, 0.99))}


def ratios(ours: list[Seconds], peers: list[Seconds], quantile: float, clock: int) -> dict[str, float]:
    """Our quantile over the peer's on one clock, round by round."""
    pairs = zip(ours, peers, strict=True)
    each = [float(np.quantile(a[:, clock], quantile) / np.quantile(b[:, clock], quantile)) for a, b in pairs]
    return {"median": float(np.median(each)), "min": min(each), "max": max(each)}


def compared(ours: list[Seconds], peers: list[Seconds], clock: int) -> dict[str, Any]:
    """Both on one clock, and their ratios."""
    return {
        "ours_us": spread(np.concatenate(ours)[:, clock]),
        "pymdp_jit_us": spread(np.concatenate(peers)[:, clock]),
        "p50_ratio": ratios(ours, peers, 0.5, clock),
        "p99_ratio": ratios(ours, peers, 0.99, clock),
    }


def compare_steps(rounds: int, seconds: float, path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Whole steps of both in every case, with their ratios, and the versions of the peer."""
    agents = {name: agent_of(case) for name, case in cases().items()}
    ours: dict[str, list[Seconds]] = {name: [] for name in agents}
    peers: list[dict[str, Any]] = []
    for _ in range(rounds):
        for name, agent in agents.items():
            live(agent, cases()[name], lambda done, _: done >= 50)
            ours[name].append(live(agent, cases()[name], lambda _, spent: spent >= seconds))
        peers.append(ask_peer("steps", path, seconds))
    figures = {}
    for name, agent in agents.items():
        theirs = [np.array(answer["figures"][name]["seconds"]) for answer in peers]
        q_pi, _ = agent.infer_policies(agent.infer_states(cases()[name]["episode"][0], agent.model.D))
        apart = np.abs(q_pi - np.array(peers[0]["figures"][name]["q_pi"])).max()
        figures[name] = {
            "wall": compared(ours[name], theirs, WALL),
            "processor": compared(ours[name], theirs, PROCESSOR),
            "q_pi_differs_by": float(apart),
        }
    return figures, peers[0]["versions"]


def compare_first_steps(rounds: int, path: Path) -> dict[str, Any]:
    """Wall and processor seconds of whole fresh processes that take one step of the T-maze."""
    command = [sys.executable, "-c", FIRST_STEP, str(path)]
    acts: dict[str, Callable[[], object]] = {
        "ours": lambda: subprocess.run(command, stdin=subprocess.DEVNULL, check=True, timeout=60),
        "pymdp": lambda: ask_peer("first", path),
    }
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in acts}
    for _ in range(rounds):
        for name, act in acts.items():
            wall, processor = time.perf_counter(), processor_of_children()
            act()
            took[name].append((time.perf_counter() - wall, processor_of_children() - processor))
    figures = {}
    for name, seconds in took.items():
        for clock, values in zip(("wall_s", "processor_s"), np.array(seconds).T, strict=True):
            middle, least, most = np.quantile(values, (0.5, 0.0, 1.0)).tolist()
            figures[f"{name}_{clock}"] = {"median": middle, "min": least, "max": most}
    return figures


def processor_of_children() -> float:
    """Processor seconds of all processes that ended so far."""
    times = os.times()
    return times.children_user + times.children_system


def search_figures() -> dict[str, Any]:
    """A search to the horizon of the 4,096 policies: closed loop and pruned, not listed."""
    agent = agent_of(cases()["two_factors_4096"])
    search = Search(model=agent.model, horizon=3)
    plan = search.plan(agent.model.D, gamma=16.0)
    return {
        "us": timed(lambda: search.plan(agent.model.D, gamma=16.0), 30),
        "beliefs_weighed": plan.beliefs_weighed,
    }


def looks_figures() -> dict[str, Any]:
    """Information gain of 64 looks of 6 outcomes about 100 joint states, and about 10 classes of them."""
    rng = np.random.default_rng(0)
    looks = rng.dirichlet(np.ones(6), size=(64, 100)).transpose(0, 2, 1).copy()
    posterior, classes = rng.dirichlet(np.ones(100)), np.repeat(np.eye(10), 10, axis=1)
    entropies = conditional_entropy(looks)
    return {
        "about_states_us": timed(lambda: information_gain(posterior, looks, entropies=entropies), 2000),
        "about_classes_us": timed(lambda: information_gain(posterior, looks, classes), 2000),
    }


def timed(act: Callable[[], object], repeats: int) -> dict[str, dict[str, float]]:
    """Microseconds of an act on both clocks."""
    seconds = []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        act()
        seconds.append((time.perf_counter() - wall, time.process_time() - processor))
    both = np.array(seconds[repeats // 20 :])
    return {"wall": spread(both[:, WALL]), "processor": spread(both[:, PROCESSOR])}


def main() -> None:
    """Measure, print a table and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of alternating steps and fresh processes")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each case in a round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cases.json"
        path.write_text(json.dumps(cases()))
        steps, peer_versions = compare_steps(options.rounds, options.seconds, path)
        first = compare_first_steps(options.rounds, path)
        eager = np.array(ask_peer("eager", path, 20)["figures"]["tmaze_25"]["seconds"])[:, WALL]
    maze, middle = steps["tmaze_25"]["wall"], steps["two_factors_64"]["wall"]
    times_faster = 1e6 * float(np.median(eager)) / maze["ours_us"]["p50"]
    figures = {
        "steps": steps,
        "tmaze_eager_us": spread(eager),
        "tmaze_times_faster_than_eager": times_faster,
        "first_step_of_a_process": first,
        "search_instead_of_4096": search_figures(),
        "looks": looks_figures(),
    }
    bars = [
        report.bar("T-maze, whole step p50 against pymdp jit", maze["p50_ratio"]["median"], "<=", 1.0),
        report.bar("T-maze, times faster than pymdp as documented", times_faster, ">=", 500),
        report.bar("64 policies, whole step p50 against pymdp jit", middle["p50_ratio"]["median"], "<=", 0.8),
        report.bar("64 policies, whole step p99 against pymdp jit", middle["p99_ratio"]["median"], "<=", 0.5),
        report.bar("import and first step of a fresh process, s", first["ours_wall_s"]["median"], "<", 0.5),
    ]
    print(json.dumps(figures, indent=1))
    versions = report.versions("numpy", "emily-cognition") | peer_versions
    report.write("active_inference", figures=figures, bars=bars, versions=versions)


if __name__ == "__main__":
    main()
