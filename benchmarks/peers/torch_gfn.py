"""What torchgfn does of `benchmarks/gflownet.py`, run with the interpreter of `.venv-peers`; JSON to stdout.

Trajectory balance on its own hypergrid as its own training script sets it up: a perceptron of 2 x 256 whose
trunk the backward policy shares, on-policy, log-probabilities kept from sampling.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from importlib import metadata
from typing import Any

import torch
from gfn.estimators import DiscretePolicyEstimator
from gfn.gflownet import TBGFlowNet
from gfn.gym import HyperGrid
from gfn.preprocessors import KHotPreprocessor
from gfn.utils.modules import MLP

HIDDEN, RATE, RATE_LOG_PARTITION = 256, 1e-3, 0.1


def train(seed: int, dimensions: int, height: int, batch: int, iterations: int) -> dict[str, Any]:
    """CPU seconds of training, the exact L1 distance from the target afterwards, and log Z."""
    torch.manual_seed(seed)
    env = HyperGrid(dimensions, height)
    preprocessor = KHotPreprocessor(height=height, ndim=dimensions)
    forward = MLP(height * dimensions, env.n_actions, hidden_dim=HIDDEN, n_hidden_layers=2)
    backward = MLP(height * dimensions, env.n_actions - 1, trunk=forward.trunk)
    pf = DiscretePolicyEstimator(forward, env.n_actions, preprocessor=preprocessor)
    pb = DiscretePolicyEstimator(backward, env.n_actions, preprocessor=preprocessor, is_backward=True)
    gflownet = TBGFlowNet(pf, pb)
    groups = [
        {"params": gflownet.pf_pb_parameters(), "lr": RATE},
        {"params": gflownet.logz_parameters(), "lr": RATE_LOG_PARTITION},
    ]
    optimiser = torch.optim.Adam(groups)
    start = time.process_time()
    for _ in range(iterations):
        trajectories = gflownet.sample_trajectories(env, n=batch, save_logprobs=True)
        optimiser.zero_grad()
        gflownet.loss(env, trajectories, recalculate_all_logprobs=False).backward()
        optimiser.step()
    seconds = time.process_time() - start
    return {"seconds": seconds, "l1": exact_l1(env, pf), "log_partition": gflownet.logZ.item()}


def exact_l1(env: Any, pf: Any) -> float:
    """sum |P_T - p|, P_T by dynamic programming over all cells."""
    cells = torch.tensor(list(itertools.product(range(env.height), repeat=env.ndim)))
    states = env.states_from_tensor(cells)
    with torch.no_grad():
        chances = pf.to_probability_distribution(states, pf(states)).probs.double()
        reward = env.reward(states).double()
    shape = (env.height,) * env.ndim
    reach = torch.zeros(len(cells), dtype=torch.float64)
    reach[0] = 1.0
    strides = [env.height ** (env.ndim - 1 - axis) for axis in range(env.ndim)]
    for i in torch.argsort(cells.sum(dim=1), stable=True).tolist():
        for axis in range(env.ndim):
            if cells[i, axis] + 1 < shape[axis]:
                reach[i + strides[axis]] += reach[i] * chances[i, axis]
    return float((reach * chances[:, -1] - reward / reward.sum()).abs().sum())


def main() -> None:
    """Print one result a grid: `SEED DIMENSIONS,HEIGHT,BATCH,ITERATIONS ...`."""
    torch.set_num_threads(1)
    seed, *grids = sys.argv[1:]
    results = [train(int(seed), *map(int, grid.split(","))) for grid in grids]
    versions = {name: metadata.version(name) for name in ("torch", "torchgfn")}
    print(json.dumps({"results": results, "versions": versions}))


if __name__ == "__main__":
    main()
