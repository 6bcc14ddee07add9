"""What pymdp does of `benchmarks/active_inference.py`, with the interpreter of `.venv-peers`; JSON to stdout.

`steps CASES SECONDS`: wall and processor seconds of whole steps under jit, in each case. `eager CASES STEPS`:
the same as its documentation shows it, without jit, in the first case. `first CASES`: one step of it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from pymdp.agent import Agent


def agent_of(case: dict[str, Any]) -> Agent:
    """The agent of a case."""
    model = case["model"]
    arrays = {name: [jnp.array(array) for array in model[name]] for name in ("A", "B", "C", "D")}
    dependencies = {name: model[name] for name in ("A_dependencies", "B_dependencies")}
    return Agent(**arrays, **dependencies, policy_len=case["policy_len"], inference_algo="fpi")


def whole_step(agent: Agent) -> Callable[[Any, Any], Any]:
    """Perceive, weigh policies, act, expect."""

    def step(observations: Any, prior: Any) -> Any:
        qs = agent.infer_states(observations, prior)
        q_pi, _ = agent.infer_policies(qs)
        action = agent.sample_action(q_pi)
        return q_pi, action, agent.update_empirical_prior(action, qs)

    return step


def observed(row: list[int]) -> list[Any]:
    """Observations as the agent takes them, a batch of one."""
    return [np.array([outcome]) for outcome in row]


def live(
    agent: Agent, step: Callable[[Any, Any], Any], case: dict[str, Any], enough: Callable[[int, float], bool]
) -> tuple[list[tuple[float, float]], list[float]]:
    """Wall and processor seconds of each step, and q_pi of the first."""
    seconds: list[tuple[float, float]] = []
    first: list[float] = []
    begin, prior = time.perf_counter(), agent.D
    while not enough(len(seconds), time.perf_counter() - begin):
        at = len(seconds) % len(case["episode"])
        row = observed(case["episode"][at])
        prior = agent.D if at == 0 else prior
        wall, processor = time.perf_counter(), time.process_time()
        q_pi, action, prior = step(row, prior)
        q_pi, action = np.asarray(q_pi), np.asarray(action)
        seconds.append((time.perf_counter() - wall, time.process_time() - processor))
        first = first or q_pi[0].tolist()
    return seconds, first


def main() -> None:
    """Print the figures of one task."""
    task, path, *numbers = sys.argv[1:]
    cases: dict[str, dict[str, Any]] = json.loads(Path(path).read_text())
    figures: dict[str, Any] = {}
    if task == "steps":
        for name, case in cases.items():
            agent = agent_of(case)
            step = jax.jit(whole_step(agent))
            _, q_pi = live(agent, step, case, lambda done, _: done >= 50)
            seconds, _ = live(agent, step, case, lambda _, spent: spent >= float(numbers[0]))
            figures[name] = {"seconds": seconds, "q_pi": q_pi}
    else:
        (name, case), *_ = cases.items()
        agent = agent_of(case)
        steps = int(numbers[0]) if task == "eager" else 1
        seconds, _ = live(agent, whole_step(agent), case, lambda done, _: done > steps)
        figures[name] = {"seconds": seconds[1:]}
    versions = {name: metadata.version(name) for name in ("inferactively-pymdp", "jax", "jaxlib")}
    print(json.dumps({"figures": figures, "versions": versions}))


if __name__ == "__main__":
    main()
