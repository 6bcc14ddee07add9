"""The losses agree with torchgfn and their gradients with finite differences."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from emily_cognition.gflownet import HyperGrid, losses
from emily_cognition.gflownet.evaluation import (
    jensen_shannon_divergence,
    terminating_distribution,
    total_variation,
)
from emily_cognition.gflownet.graph import Real
from emily_cognition.gflownet.losses import Loss, Walks, Weighting

Objective = Callable[[Walks], Loss]
ENVIRONMENT = HyperGrid(2, 8).environment()


def _masked_log_softmax(logits: Real, legal: Any) -> Real:
    masked = np.where(legal, logits, -np.inf)
    return np.asarray(masked - np.logaddexp.reduce(masked, axis=1, keepdims=True))


@pytest.fixture(scope="module")
def case(golden: Callable[[str], Any]) -> Any:
    return golden("gfn_losses_tabular_8x8.json")


@pytest.fixture(scope="module")
def walks(case: Any) -> Walks:
    """The trajectories of the reference under its tables."""
    forward = _masked_log_softmax(np.array(case["pf_logits"]), ENVIRONMENT.graph.forward_mask)
    backward = np.zeros((64, 2))
    backward[1:] = _masked_log_softmax(
        np.array(case["pb_logits"])[1:], ENVIRONMENT.graph.backward_mask[1:, :2]
    )
    most = max(len(walk["actions"]) for walk in case["trajectories"])
    ratio, flow = np.zeros((2, len(case["trajectories"]), most))
    lengths, ends = [], []
    for b, walk in enumerate(case["trajectories"]):
        states = [row * 8 + column for row, column in walk["states"]]
        for t, (state, action) in enumerate(zip(states, walk["actions"], strict=True)):
            taken = forward[state, action]
            back = backward[states[t + 1], action] if action < 2 else 0.0
            assert taken == pytest.approx(walk["log_pf"][t], abs=1e-12)
            assert back == pytest.approx(walk["log_pb"][t], abs=1e-12)
            ratio[b, t] = taken - back
            flow[b, t] = case["logF"][state]
        lengths.append(len(states))
        ends.append(ENVIRONMENT.log_reward[states[-1]])
    return Walks(ratio, flow, np.array(ends), np.array(lengths))


def _with_log_partition(walks: Walks, log_partition: float) -> Walks:
    flow = walks.log_flow.copy()
    flow[:, 0] = log_partition
    return replace(walks, log_flow=flow)


def test_trajectory_balance_matches_the_reference(case: Any, walks: Walks) -> None:
    for log_partition in (0, 3):
        loss = losses.trajectory_balance(_with_log_partition(walks, log_partition))
        assert loss.value == pytest.approx(case[f"tb_loss_logZ{log_partition}"], abs=1e-12)


def test_log_partition_variance_and_detailed_balance_match_the_reference(case: Any, walks: Walks) -> None:
    assert losses.log_partition_variance(walks).value == pytest.approx(case["vargrad_loss"], abs=1e-12)
    assert losses.detailed_balance(walks).value == pytest.approx(case["db_loss"], abs=1e-12)


@pytest.mark.parametrize("weighting", ["geometric_within", "equal_within", "TB", "DB", "ModifiedDB"])
def test_sub_trajectory_balance_matches_the_reference(case: Any, walks: Walks, weighting: str) -> None:
    loss = losses.sub_trajectory_balance(walks, Weighting(weighting), 0.9)
    assert loss.value == pytest.approx(case[f"subtb_{weighting}_lamda0.9"], abs=1e-12)


def test_the_exact_distribution_and_its_distances_match_the_reference(case: Any) -> None:
    forward = np.exp(_masked_log_softmax(np.array(case["pf_logits"]), ENVIRONMENT.graph.forward_mask))
    distribution = terminating_distribution(ENVIRONMENT.graph, forward)
    np.testing.assert_allclose(distribution, case["exact_terminating_dist"], atol=1e-14)
    target = ENVIRONMENT.target
    assert total_variation(distribution, target) == pytest.approx(case["tv_to_target"], abs=1e-12)
    divergence = jensen_shannon_divergence(distribution, target)
    assert divergence == pytest.approx(case["jsd_to_target_nats"], abs=1e-12)


@pytest.mark.parametrize("weighting", list(Weighting))
def test_pieces_are_weighed_one_by_one_as_the_residual_is_defined(walks: Walks, weighting: Weighting) -> None:
    """The loss from a loop over all pieces of all walks."""
    lamda, pieces = 0.7, []
    for b, length in enumerate(walks.lengths):
        flow = [*walks.log_flow[b, :length], walks.log_reward[b]]
        for m in range(length):
            for n in range(m + 1, length + 1):
                pieces.append((b, n - m, flow[m] + walks.log_ratio[b, m:n].sum() - flow[n]))
    longest, count = walks.lengths.max(), len(walks.lengths)

    def weight(b: int, gap: int) -> float:
        length = int(walks.lengths[b])
        own = sum(lamda ** (other - 1) for walk, other, _ in pieces if walk == b)
        geometric = lamda ** (gap - 1) / sum(lamda**k for k in range(longest))
        same = sum(other == gap for _, other, _ in pieces)
        weights: dict[Weighting, float] = {
            Weighting.DB: (gap == 1) / walks.lengths.sum(),
            Weighting.MODIFIED_DB: (gap == 1) / length / count,
            Weighting.TB: (gap == length) / count,
            Weighting.EQUAL: 1 / len(pieces),
            Weighting.EQUAL_WITHIN: 2 / (length * (length + 1)) / count,
            Weighting.GEOMETRIC: geometric / same,
            Weighting.GEOMETRIC_WITHIN: lamda ** (gap - 1) / own / count,
        }
        return weights[weighting]

    expected = sum(weight(b, gap) * residual**2 for b, gap, residual in pieces)
    assert losses.sub_trajectory_balance(walks, weighting, lamda).value == pytest.approx(expected, rel=1e-10)


OBJECTIVES: dict[str, Objective] = {
    "TB": losses.trajectory_balance,
    "VarGrad": losses.log_partition_variance,
    **{
        f"SubTB {weighting.value}": partial(losses.sub_trajectory_balance, weighting=weighting)
        for weighting in Weighting
    },
}


@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_gradients_match_finite_differences(walks: Walks, objective: Objective) -> None:
    loss = objective(walks)
    inside = np.arange(walks.log_ratio.shape[1]) < walks.lengths[:, None]
    for field, slope in (("log_ratio", loss.log_forward), ("log_flow", loss.log_flow)):
        assert (slope[~inside] == 0).all()
        for b, t in np.argwhere(inside)[::3]:
            values = []
            for step in (1e-6, -1e-6):
                moved = getattr(walks, field).copy()
                moved[b, t] += step
                values.append(objective(replace(walks, **{field: moved})).value)
            assert slope[b, t] == pytest.approx((values[0] - values[1]) / 2e-6, abs=1e-7)


def test_a_balanced_flow_has_no_loss() -> None:
    """The flow is pulled back from the rewards by a uniform P_B."""
    flow = np.zeros(65)
    flow[:64] = np.exp(ENVIRONMENT.log_reward)
    chance = ENVIRONMENT.graph.backward_mask / np.maximum(
        ENVIRONMENT.graph.backward_mask.sum(axis=1, keepdims=True), 1
    )
    for level in reversed(ENVIRONMENT.graph.levels):
        for child, action in np.argwhere(ENVIRONMENT.graph.backward_mask):
            if child in level:
                flow[ENVIRONMENT.graph.parents[child, action]] += flow[child] * chance[child, action]
    assert np.log(flow[0]) == pytest.approx(ENVIRONMENT.log_partition)
    path = [0, 1, 9, 10]
    ratio = [[np.log(flow[n] / flow[s]) for s, n in itertools.pairwise(path)]]
    ratio[0].append(ENVIRONMENT.log_reward[10] - np.log(flow[10]))
    walk = Walks(
        np.array(ratio), np.log(flow[[path]]), ENVIRONMENT.log_reward[[10]], np.array([4], dtype=np.int64)
    )
    for objective in OBJECTIVES.values():
        assert objective(walk).value == pytest.approx(0, abs=1e-20)
    assert losses.log_partition_estimate(walk) == pytest.approx(ENVIRONMENT.log_partition)
