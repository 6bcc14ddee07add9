"""Walks are legal both ways, follow their policy, and carry the gradient to the network."""

from collections.abc import Callable

import numpy as np
import pytest
from emily_cognition.gflownet import Environment, GFlowNet, HyperGrid, HypothesisSet, losses
from emily_cognition.gflownet.losses import Loss, Walks
from emily_cognition.gflownet.policy import Policy
from emily_cognition.gflownet.walking import Trajectories, explore, gradient, judged, retrace

ENVIRONMENTS = {
    "hypergrid": HyperGrid(2, 4).environment(),
    "large hypergrid": HyperGrid(3, 11).environment(),
    "hypotheses": HypothesisSet({"x": range(3), "y": range(2), "z": range(2)}).environment(np.arange(12.0)),
}


def _policy(environment: Environment, seed: int = 0) -> Policy:
    return GFlowNet.create(environment, np.random.default_rng(seed), hidden=(8, 8)).policy(environment)


def _assert_legal(environment: Environment, trajectories: Trajectories) -> None:
    lengths = trajectories.lengths(environment.graph)
    for states, actions, length in zip(trajectories.states, trajectories.actions, lengths, strict=True):
        assert states[0] == 0
        assert (states[length:] == environment.graph.states).all()
        assert (actions[length:] == environment.graph.actions - 1).all()
        for t in range(length):
            assert environment.graph.children[states[t], actions[t]] == states[t + 1]


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
@pytest.mark.parametrize(("epsilon", "temperature"), [(0.0, 1.0), (0.5, 1.0), (0.0, 4.0), (1.0, 0.1)])
def test_walks_are_legal_to_the_end(environment: Environment, epsilon: float, temperature: float) -> None:
    rng = np.random.default_rng(1)
    walks = explore(_policy(environment), 50, rng, epsilon=epsilon, temperature=temperature)
    _assert_legal(environment, walks)
    assert (walks.objects(environment.graph) >= 0).all()


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_retraced_walks_are_legal_and_end_with_their_object(environment: Environment) -> None:
    rng = np.random.default_rng(2)
    objects = rng.integers(0, len(environment.graph.objects), 60)
    walks = retrace(environment.graph, objects, rng)
    _assert_legal(environment, walks)
    np.testing.assert_array_equal(walks.objects(environment.graph), objects)


def test_ways_back_are_equally_likely_at_each_step() -> None:
    graph = HyperGrid(2, 3).environment().graph
    walks = retrace(graph, np.full(4000, 4), np.random.default_rng(3))  # the cell (1, 1)
    first = (walks.actions[:, 0] == 0).mean()
    assert abs(first - 0.5) < 5 * 0.5 / np.sqrt(4000)


def test_the_empty_object_is_retraced_by_stopping_at_once() -> None:
    environment = ENVIRONMENTS["hypergrid"]
    walks = retrace(environment.graph, np.zeros(3, dtype=np.int64), np.random.default_rng(0))
    _assert_legal(environment, walks)
    np.testing.assert_array_equal(walks.lengths(environment.graph), [1, 1, 1])


def test_objects_are_drawn_as_often_as_the_exact_distribution_says() -> None:
    environment = ENVIRONMENTS["hypergrid"]
    model = GFlowNet.create(environment, np.random.default_rng(4), hidden=(8,))
    sample = model.sample(environment, 40_000, np.random.default_rng(5))
    frequency = np.bincount(sample.objects, minlength=16) / 40_000
    exact = model.distribution(environment)
    assert exact.sum() == pytest.approx(1.0, abs=1e-12)
    assert (np.abs(frequency - exact) < 5 * np.sqrt(exact / 40_000) + 1e-4).all()
    np.testing.assert_allclose(sample.log_probability, np.log(exact[sample.objects]), atol=1e-12)
    np.testing.assert_array_equal(sample.log_reward, environment.log_reward[sample.objects])


def test_joined_batches_keep_every_walk() -> None:
    environment = ENVIRONMENTS["hypotheses"]
    policy, rng = _policy(environment), np.random.default_rng(6)
    one = explore(policy, 5, rng)
    short = retrace(ENVIRONMENTS["hypergrid"].graph, np.zeros(2, dtype=np.int64), rng)
    other = retrace(environment.graph, np.arange(4), rng)
    both = one.joined(other, environment.graph)
    _assert_legal(environment, both)
    np.testing.assert_array_equal(
        both.objects(environment.graph), [*one.objects(environment.graph), *other.objects(environment.graph)]
    )
    grown = short.joined(explore(_policy(ENVIRONMENTS["hypergrid"]), 4, rng), ENVIRONMENTS["hypergrid"].graph)
    _assert_legal(ENVIRONMENTS["hypergrid"], grown)


@pytest.mark.parametrize("name", ["hypergrid", "large hypergrid", "hypotheses"])
@pytest.mark.parametrize(
    "objective",
    [losses.trajectory_balance, losses.detailed_balance, losses.log_partition_variance],
    ids=["TB", "DB", "VarGrad"],
)
def test_the_gradient_of_the_network_matches_finite_differences(
    name: str, objective: Callable[[Walks], Loss]
) -> None:
    environment = ENVIRONMENTS[name]
    model = GFlowNet.create(environment, np.random.default_rng(8), hidden=(8, 8))
    walks = explore(model.policy(environment), 12, np.random.default_rng(9))

    def at(parameters: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[Policy, Loss]:
        policy = Policy(model.network, parameters, environment.graph)
        policy.reveal(np.unique(walks.states))
        return policy, objective(judged(policy, walks, environment.log_reward, 0.3))

    precise = model.parameters.astype(np.float64)
    policy, loss = at(precise)
    slope = gradient(policy, walks, loss)
    for i in np.random.default_rng(10).choice(len(slope), 60, replace=False):
        values = []
        for step in (1e-6, -1e-6):
            moved = precise.copy()
            moved[i] += step
            values.append(at(moved)[1].value)
        assert slope[i] == pytest.approx((values[0] - values[1]) / 2e-6, abs=2e-6, rel=1e-5)
