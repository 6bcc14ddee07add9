"""Environments are acyclic graphs with the published rewards; an object is composed in any legal order."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from emily_cognition.gflownet import BitSequence, Environment, GFlowNetError, HyperGrid, HypothesisSet
from emily_cognition.gflownet.evaluation import expected_unique
from emily_cognition.gflownet.graph import Graph, require_tabular

ENVIRONMENTS = {
    "hypergrid": HyperGrid(3, 4).environment(),
    "bits": BitSequence(5, ("01011", "11100")).environment(),
    "hypotheses": HypothesisSet({"x": (1, 2), "y": "abc", "z": (False, True)}).environment(np.zeros(12)),
}


@pytest.mark.parametrize("name", ["2x8", "2x16", "3x8", "4x8"])
def test_the_hypergrid_has_the_published_target(golden: Callable[[str], Any], name: str) -> None:
    case = golden("gfn_hypergrid_targets.json")["grids"][name]
    grid = HyperGrid(case["ndim"], case["height"], R0=case["R0"], R1=case["R1"], R2=case["R2"])
    environment = grid.environment()
    assert environment.log_partition == pytest.approx(case["logZ"], abs=1e-12)
    counts = {
        value: int((np.abs(np.exp(environment.log_reward) - value) < 1e-12).sum())
        for value in (0.1, 0.6, 2.6)
    }
    assert counts == {float(value): count for value, count in case["reward_values"].items()}
    assert expected_unique(environment.target, 100) == pytest.approx(case["expected_unique_100"], abs=1e-9)
    assert expected_unique(environment.target, 1000) == pytest.approx(case["expected_unique_1000"], abs=1e-9)
    if case["p"] is not None:
        np.testing.assert_allclose(environment.target, case["p"], atol=1e-15)


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_an_action_is_undone_by_the_same_action_backwards(environment: Environment) -> None:
    for state, action in np.argwhere(environment.graph.forward_mask[:, :-1]):
        assert environment.graph.parents[environment.graph.children[state, action], action] == state
    for state, action in np.argwhere(environment.graph.backward_mask):
        assert environment.graph.children[environment.graph.parents[state, action], action] == state
    assert not environment.graph.backward_mask[0].any()
    assert environment.graph.backward_mask[1:].any(axis=1).all()


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_levels_hold_every_state_after_its_parents(environment: Environment) -> None:
    level = np.empty(environment.graph.states, dtype=int)
    for depth, states in enumerate(environment.graph.levels):
        level[states] = depth
    assert sum(map(len, environment.graph.levels)) == environment.graph.states
    origin, action = np.nonzero(environment.graph.forward_mask[:, :-1])
    assert (level[environment.graph.children[origin, action]] > level[origin]).all()


def test_cells_are_counted_row_by_row() -> None:
    grid = HyperGrid(2, 5)
    assert [grid.describe(item) for item in (0, 1, 5, 24)] == [(0, 0), (0, 1), (1, 0), (4, 4)]


def test_a_bit_sequence_is_rewarded_by_its_distance_from_the_nearest_mode() -> None:
    bits = BitSequence(6, ("000000", "111000"), decay=2.0)
    environment = bits.environment()
    assert len(environment.graph.objects) == 64
    for item in range(64):
        distances = [
            sum(a != b for a, b in zip(bits.describe(item), mode, strict=True)) for mode in bits.modes
        ]
        assert environment.log_reward[item] == -2.0 * min(distances)


def test_hypotheses_come_in_the_order_of_the_product() -> None:
    vocabulary = {"right": range(-1, 2), "contrast": ("low", "high")}
    hypotheses = HypothesisSet(vocabulary)
    expected = [
        dict(zip(vocabulary, values, strict=True)) for values in itertools.product(*vocabulary.values())
    ]
    assert [hypotheses.describe(item) for item in range(6)] == expected


def test_a_reward_may_be_a_function_of_the_hypothesis() -> None:
    hypotheses = HypothesisSet({"right": range(3), "sharp": (False, True)})
    environment = hypotheses.environment(lambda hypothesis: -float(hypothesis["right"] == 2))
    np.testing.assert_array_equal(environment.log_reward, [0, 0, 0, 0, -1, -1])


def test_new_evidence_changes_the_target_and_not_the_graph() -> None:
    before = ENVIRONMENTS["hypotheses"]
    after = before.rewarded(lambda item: item / 2)
    assert after.graph is before.graph
    assert after.log_partition == pytest.approx(np.logaddexp.reduce(np.arange(12) / 2))
    assert before.log_partition == pytest.approx(np.log(12))
    with pytest.raises(GFlowNetError, match=r"log_reward: shape \(3,\)"):
        before.rewarded(np.zeros(3))


def test_an_object_without_any_reward_is_refused() -> None:
    with pytest.raises(GFlowNetError, match="log_reward of object 2: -inf is not finite; give it a floor"):
        ENVIRONMENTS["hypotheses"].rewarded(lambda item: -np.inf if item == 2 else 0.0)


def _graph(*children: tuple[int, int, int]) -> Graph:
    return Graph(children=np.array(children), features=np.zeros((len(children), 1)))


def test_a_graph_that_is_no_rooted_acyclic_graph_is_refused() -> None:
    with pytest.raises(GFlowNetError, match="cycle"):
        _ = _graph((1, -1, 2), (-1, 0, 2)).levels
    with pytest.raises(GFlowNetError, match="dead end"):
        _ = _graph((1, -1, 2), (-1, -1, -1)).levels
    with pytest.raises(GFlowNetError, match="can't be reached"):
        _ = _graph((-1, -1, 2), (-1, -1, 2)).levels
    with pytest.raises(GFlowNetError, match="from two states"):
        _ = _graph((2, 1, 3), (2, -1, 3), (-1, -1, 3)).parents


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(GFlowNetError, match="dimensions, height"):
        HyperGrid(2, 1)
    with pytest.raises(GFlowNetError, match="must not be empty"):
        BitSequence(3, ())
    with pytest.raises(GFlowNetError, match="'012' is not a string of 3 bits"):
        BitSequence(3, ("012",))
    with pytest.raises(GFlowNetError, match="at least one attribute"):
        HypothesisSet({})
    with pytest.raises(GFlowNetError, match="'x' needs at least one value"):
        HypothesisSet({"x": ()})
    with pytest.raises(GFlowNetError, match="states: 300000 is above"):
        require_tabular(300_000)
