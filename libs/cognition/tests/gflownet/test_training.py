"""Training converges by every objective, with replay and exploration, and repeats itself bit for bit."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from emily_cognition.gflownet import (
    RECIPES,
    BitSequence,
    Environment,
    GFlowNet,
    GFlowNetError,
    HyperGrid,
    HypothesisSet,
    Objective,
    Recipe,
    fit,
)
from emily_cognition.gflownet.evaluation import l1_distance, total_variation
from emily_cognition.gflownet.graph import Real
from emily_cognition.gflownet.recipe import (
    DETAILED_BALANCE,
    LOG_PARTITION_VARIANCE,
    SUB_TRAJECTORY_BALANCE,
    TRAJECTORY_BALANCE,
    TRAJECTORY_BALANCE_WITH_REPLAY,
)

GRID = HyperGrid(2, 6).environment()
VOCABULARY = HypothesisSet({"right": range(-1, 2), "down": range(-1, 2), "noise": range(3)})


def _trained(
    environment: Environment, recipe: Recipe, iterations: int, *, seed: int = 0, hidden: int = 32
) -> tuple[GFlowNet, np.random.Generator]:
    rng = np.random.default_rng(seed)
    model = GFlowNet.create(environment, rng, hidden=(hidden, hidden))
    model, _ = fit(model, environment, recipe, iterations=iterations, rng=rng)
    return model, rng


def _distance(model: GFlowNet, environment: Environment) -> float:
    return total_variation(model.distribution(environment), environment.target)


@pytest.mark.parametrize(
    ("recipe", "bound"),
    [
        (DETAILED_BALANCE, 0.12),
        (TRAJECTORY_BALANCE, 0.05),
        (SUB_TRAJECTORY_BALANCE, 0.08),
        (LOG_PARTITION_VARIANCE, 0.05),
        (TRAJECTORY_BALANCE_WITH_REPLAY, 0.03),
    ],
    ids=["DB", "TB", "SubTB", "VarGrad", "TB with replay"],
)
def test_every_recipe_converges_to_the_exact_target(recipe: Recipe, bound: float) -> None:
    model, _ = _trained(GRID, replace(recipe, rate=3e-3), 500)
    assert _distance(model, GRID) < bound
    assert model.log_partition == pytest.approx(GRID.log_partition, abs=0.3)


def test_replay_brings_the_same_new_walks_closer_to_the_target() -> None:
    recipe = replace(TRAJECTORY_BALANCE, rate=3e-3)
    alone, replayed = (
        np.mean([_distance(_trained(GRID, each, 300, seed=seed, hidden=64)[0], GRID) for seed in range(2)])
        for each in (recipe, replace(recipe, replayed=16))
    )
    assert replayed < 0.8 * alone


def test_exploration_finds_modes_behind_a_desert() -> None:
    desert = HyperGrid(2, 8, R0=1e-3).environment()
    model, _ = _trained(desert, replace(TRAJECTORY_BALANCE_WITH_REPLAY, epsilon=0.2, rate=5e-3), 400)
    modes = np.flatnonzero(desert.log_reward == desert.log_reward.max())
    assert len(modes) == 4
    assert (model.distribution(desert)[modes] > 0.5 * desert.target[modes]).all()


@pytest.mark.parametrize("version", RECIPES)
def test_a_seed_reproduces_a_run_bit_for_bit(version: str) -> None:
    one, _ = _trained(GRID, RECIPES[version], 30, seed=7)
    two, _ = _trained(GRID, RECIPES[version], 30, seed=7)
    other, _ = _trained(GRID, RECIPES[version], 30, seed=8)
    assert one.parameters.tobytes() == two.parameters.tobytes()
    assert one.log_partition == two.log_partition
    assert one.parameters.tobytes() != other.parameters.tobytes()


def test_training_in_two_parts_is_training_in_one() -> None:
    whole, _ = _trained(GRID, TRAJECTORY_BALANCE_WITH_REPLAY, 40)
    half, rng = _trained(GRID, TRAJECTORY_BALANCE_WITH_REPLAY, 15)
    before = half.parameters.copy()
    rest, _ = fit(half, GRID, TRAJECTORY_BALANCE_WITH_REPLAY, iterations=25, rng=rng)
    assert rest.parameters.tobytes() == whole.parameters.tobytes()
    assert half.parameters.tobytes() == before.tobytes()


def test_a_large_graph_is_looked_at_in_parts_and_learned_all_the_same() -> None:
    """Above 1024 states only what walks reach is evaluated."""
    environment = HyperGrid(4, 6).environment()
    recipe = replace(TRAJECTORY_BALANCE_WITH_REPLAY, rate=5e-3)
    before, rng = _trained(environment, recipe, 1)
    after, history = fit(before, environment, recipe, iterations=150, rng=rng)
    assert _distance(after, environment) < 0.6 * _distance(before, environment)
    assert history.loss[-20:].mean() < 0.5 * history.loss[:20].mean()


def test_bit_sequences_are_learned_on_their_tree() -> None:
    environment = BitSequence(6, ("010101", "111000"), decay=1.5).environment()
    model, _ = _trained(environment, replace(TRAJECTORY_BALANCE_WITH_REPLAY, rate=3e-3), 400)
    assert _distance(model, environment) < 0.06


def _evidence(rng: np.random.Generator) -> Real:
    return np.asarray(rng.normal(0.0, 0.7, 27))


@pytest.mark.parametrize("version", RECIPES)
def test_a_warm_start_relearns_new_evidence_in_few_iterations(version: str) -> None:
    dice = np.random.default_rng(3)
    before = VOCABULARY.environment(-100.0 + _evidence(dice))
    model, rng = _trained(before, RECIPES[version], 300, hidden=64)
    after = before.rewarded(before.log_reward - 50.0 + 0.5 * _evidence(dice))
    warm, _ = fit(model.anew(), after, RECIPES[version], iterations=20, rng=rng)
    cold, _ = _trained(after, RECIPES[version], 20, hidden=64)
    assert _distance(warm, after) < min(0.12, 0.7 * _distance(cold, after))
    assert warm.log_partition == pytest.approx(after.log_partition, abs=0.3)


def test_memory_holds_the_newest_distinct_objects() -> None:
    small = replace(TRAJECTORY_BALANCE_WITH_REPLAY, memory=5, batch=16)
    model, _ = _trained(GRID, small, 20)
    assert len(model.remembered) == len(set(model.remembered.tolist())) == 5
    none, _ = _trained(GRID, TRAJECTORY_BALANCE, 5)
    assert len(none.remembered) == 0


def test_wrong_constants_are_refused() -> None:
    objective = Objective.TRAJECTORY_BALANCE
    refused: list[tuple[str, Callable[[], Recipe]]] = [
        ("batch", lambda: Recipe(objective, batch=0)),
        ("replayed", lambda: Recipe(objective, replayed=-1)),
        ("memory", lambda: Recipe(objective, memory=0)),
        ("rate", lambda: Recipe(objective, rate=0.0)),
        ("epsilon", lambda: Recipe(objective, epsilon=1.5)),
    ]
    for field, build in refused:
        with pytest.raises(GFlowNetError, match=field):
            build()


def test_the_versions_of_the_flag_are_detailed_balance_and_replay() -> None:
    assert RECIPES["V1"].objective is Objective.DETAILED_BALANCE
    assert RECIPES["V2"].objective is Objective.TRAJECTORY_BALANCE
    assert RECIPES["V2"].replayed > 0


def test_a_better_fit_is_closer_in_every_distance() -> None:
    early, rng = _trained(GRID, TRAJECTORY_BALANCE_WITH_REPLAY, 20)
    late, _ = fit(early, GRID, TRAJECTORY_BALANCE_WITH_REPLAY, iterations=300, rng=rng)
    distances = [l1_distance(model.distribution(GRID), GRID.target) for model in (early, late)]
    assert distances[1] < 0.3 * distances[0]
