"""Search plans for what will have been learned, and follows only what matters."""

from collections.abc import Callable

import numpy as np
import pytest
from emily_cognition.active_inference import (
    Agent,
    GenerativeModel,
    ModelError,
    Policies,
    Pruning,
    Search,
    construct_policies,
)

RandomModel = Callable[..., GenerativeModel]
EVERYTHING = Pruning(action=0.0, outcome=0.0, width=64)


def cue() -> GenerativeModel:
    """A reward left or right at even odds, a wrong choice hurts, a cue tells which; all are a step away.

    Places: 0 start, 1 left, 2 right, 3 cue.
    """
    move = np.stack([np.repeat(np.eye(4)[:, [u]], 4, axis=1) for u in range(4)], axis=-1)
    reward = np.zeros((3, 4, 2))
    reward[0, [0, 3], :] = 1.0
    reward[1, 1, 0] = reward[1, 2, 1] = 1.0
    reward[2, 1, 1] = reward[2, 2, 0] = 1.0
    told = np.full((2, 4, 2), 0.5)
    told[:, 3, :] = np.eye(2)
    return GenerativeModel.create(
        A=[reward, told, np.eye(4)],
        B=[move, np.eye(2)[:, :, None]],
        C=[[0.0, 3.0, -9.0], [0.0, 0.0], [0.0, 0.0, 0.0, 0.0]],
        D=[[1, 0, 0, 0], [0.5, 0.5]],
        A_dependencies=[[0, 1], [0, 1], [0]],
    )


def still_preferring(model: GenerativeModel) -> GenerativeModel:
    return GenerativeModel.create(
        A=model.A,
        B=model.B,
        D=model.D,
        A_dependencies=model.A_dependencies,
        B_dependencies=model.B_dependencies,
    )


def test_a_search_of_one_step_is_the_list_of_policies(random_model: RandomModel) -> None:
    model = still_preferring(random_model(4))
    agent = Agent(model=model, policies=Policies.enumerated(model))

    plan = Search(model=model, horizon=1).plan(model.D)

    q_pi, neg_efe = agent.infer_policies(model.D)
    np.testing.assert_allclose(plan.neg_efe, neg_efe)
    np.testing.assert_allclose(plan.q_pi, q_pi)


def test_a_search_goes_to_the_cue_first_because_it_will_know_then() -> None:
    model = cue()

    plan = Search(model=model, horizon=3).plan(model.D, gamma=8.0)

    assert plan.actions[plan.q_pi.argmax()].tolist() == [3, 0]
    assert plan.neg_efe.max() == pytest.approx(np.log(2) + 2 * 3.0, abs=0.05)


def test_what_is_pruned_hardly_matters() -> None:
    model = cue()
    whole = Search(model=model, horizon=3, pruning=EVERYTHING).plan(model.D)

    pruned = Search(model=model, horizon=3).plan(model.D)

    assert pruned.beliefs_weighed < whole.beliefs_weighed / 2
    assert pruned.q_pi.argmax() == whole.q_pi.argmax()
    followed = pruned.q_pi > 0
    assert np.isfinite(whole.neg_efe).all()
    assert np.isneginf(pruned.neg_efe[~followed]).all()
    assert pruned.q_pi.sum() == pytest.approx(1)


def test_the_width_bounds_the_work(random_model: RandomModel) -> None:
    model = still_preferring(random_model(5))
    narrow = Pruning(action=0.0, outcome=0.0, width=2)

    plan = Search(model=model, horizon=3, pruning=narrow).plan(model.D)

    assert plan.beliefs_weighed <= 1 + 4 + 16
    assert (plan.q_pi > 0).sum() == 2


def test_where_nothing_can_be_learned_search_is_the_list_of_policies() -> None:
    """Without outcomes that tell and at high precision, the best of a search is the best listed policy."""
    rng = np.random.default_rng(6)
    B = rng.dirichlet(np.ones(4), size=(4, 3)).transpose(2, 0, 1)
    A = np.repeat(rng.dirichlet(np.ones(3))[:, None], 4, axis=1)
    model = GenerativeModel.create(A=[A], B=[B], C=[rng.normal(size=3)])
    listed = Policies.of(model, construct_policies([3], 3))
    _, neg_efe = Agent(model=model, policies=listed).infer_policies(model.D)

    plan = Search(model=model, horizon=3, pruning=EVERYTHING).plan(model.D, gamma=1e3)

    assert plan.neg_efe.max() == pytest.approx(neg_efe.max())


def test_what_search_cannot_do_is_refused(random_model: RandomModel) -> None:
    model = random_model(0)
    with pytest.raises(ModelError, match="C: search takes preferences"):
        Search(model=model, horizon=2)
    with pytest.raises(ModelError, match="horizon: 0"):
        Search(model=still_preferring(model), horizon=0)
    with pytest.raises(ModelError, match="pruning:"):
        Pruning(width=0)
    large = GenerativeModel.create(A=[np.ones((1, 80))], B=[np.eye(80)[:, :, None]] * 2, A_dependencies=[[0]])
    with pytest.raises(ModelError, match="6400 joint states"):
        Search(model=large, horizon=2)


@pytest.mark.parametrize(("horizon", "policies", "searches"), [(1, 4, False), (5, 1024, False), (6, 4, True)])
def test_an_agent_lists_a_thousand_policies_and_searches_beyond(
    horizon: int, policies: int, searches: bool
) -> None:
    agent = Agent.planning(cue(), horizon, gamma=8.0)

    assert len(agent.policies.actions) == policies
    assert (agent.search is not None) == searches


def test_an_agent_that_searches_acts_out_its_plan() -> None:
    agent, rng, place = Agent.planning(cue(), 6, gamma=8.0), np.random.default_rng(0), 0
    state, visited = agent.initial(), []

    for _ in range(2):
        told = 1 if place == 3 else int(rng.integers(2))
        won = 1 if place == 2 else 0
        state, step = agent.step(state, [won, told, place], rng)
        place = step.action[0]
        visited.append(place)

    assert visited == [3, 2]


def test_a_search_does_not_pretend_to_weigh_what_it_cannot() -> None:
    with pytest.raises(ModelError, match="search: weighs neither"):
        Agent.planning(cue(), 6, use_param_info_gain=True)
