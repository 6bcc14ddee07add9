"""An agent is a function of its state, its observations and its source of chance."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from emily_cognition.active_inference import Agent, AgentState, GenerativeModel, Policies


def indifferent(*controls: int) -> Agent:
    """Factors that never change, whatever is done."""
    B = [np.stack([np.eye(2)] * count, axis=-1) for count in controls]
    model = GenerativeModel.create(A=[np.full((2, *(2 for _ in controls)), 0.5)], B=B)
    return Agent(model=model, policies=Policies.enumerated(model))


def test_controls_of_factors_are_drawn_independently() -> None:
    rng = np.random.default_rng(0)
    uniform = np.full(4, 0.25)
    agent = replace(indifferent(2, 2), sampling_mode="marginal")
    for selection in ("stochastic", "deterministic"):
        chooser = replace(agent, action_selection=selection)

        drawn = np.array([chooser.sample_action(uniform, rng) for _ in range(600)])

        assert 0.4 < (drawn[:, 0] == drawn[:, 1]).mean() < 0.6
        assert 0.4 < drawn.mean() < 0.6


def test_ties_are_broken_at_random_and_the_same_way_for_the_same_seed() -> None:
    agent = indifferent(3)
    q_pi, _ = agent.infer_policies(agent.model.D)

    def draws(seed: int) -> list[tuple[int, ...]]:
        rng = np.random.default_rng(seed)
        return [agent.sample_action(q_pi, rng) for _ in range(60)]

    assert set(draws(3)) == {(0,), (1,), (2,)}
    assert draws(3) == draws(3)
    assert draws(3) != draws(4)


def test_drawing_follows_the_probabilities_and_never_takes_the_impossible() -> None:
    agent = replace(indifferent(3), action_selection="stochastic", alpha=1.0)
    rng = np.random.default_rng(1)

    drawn = [agent.sample_action(np.array([0.75, 0.25, 0.0]), rng)[0] for _ in range(2000)]

    np.testing.assert_allclose(np.bincount(drawn, minlength=3) / 2000, [0.75, 0.25, 0.0], atol=0.04)
    sharp = replace(agent, alpha=1e4)
    assert {sharp.sample_action(np.array([1e-300, 2e-300, 0.0]), rng)[0] for _ in range(50)} == {1}


def test_extreme_precision_leaves_probabilities() -> None:
    model = GenerativeModel.create(
        A=[np.eye(2)], B=[np.stack([np.eye(2)[:, [0, 0]], np.eye(2)[:, [1, 1]]], -1)], C=[[0.0, -1e4]]
    )
    agent = Agent(model=model, policies=Policies.enumerated(model), gamma=1e3)

    q_pi, _ = agent.infer_policies(model.D)

    assert q_pi.tolist() == [1.0, 0.0]


def test_a_state_survives_serialisation_and_continues_as_if_nothing_had_been() -> None:
    rng = np.random.default_rng(2)
    model = GenerativeModel.create(
        A=[rng.dirichlet(np.ones(3), size=3).T],
        B=[rng.dirichlet(np.ones(3), size=(3, 2)).transpose(2, 0, 1)],
        C=[rng.normal(size=3)],
    )
    agent = Agent(model=model, policies=Policies.enumerated(model, 2), gamma=2.0)
    state, _ = agent.step(agent.initial(), [1], np.random.default_rng(0))
    plain = json.loads(json.dumps(asdict(state)))
    restored = AgentState(prior=tuple(map(tuple, plain["prior"])), gamma=plain["gamma"])

    ours = agent.step(state, [2], np.random.default_rng(1))
    theirs = agent.step(restored, [2], np.random.default_rng(1))

    assert restored == state
    assert ours[0] == theirs[0]
    assert (ours[1].neg_efe == theirs[1].neg_efe).all()


def test_an_agent_learns_the_likelihood_it_lives_in() -> None:
    rng = np.random.default_rng(5)
    truth = np.array([[0.9, 0.1], [0.1, 0.9]])
    counts = np.array([[1.1, 1.0], [1.0, 1.1]])
    model = GenerativeModel.create(A=[counts / 2.1], B=[np.eye(2)[:, :, None]], pA=[counts])
    states = rng.integers(0, 2, size=300)
    rows = [[int(rng.choice(2, p=truth[:, s]))] for s in states]
    agent = Agent(model=model, policies=Policies.enumerated(model))

    learned = agent.infer_parameters(rows, (np.eye(2)[states],), [[0]] * 299)

    np.testing.assert_allclose(learned.model.A[0], truth, atol=0.08)
    np.testing.assert_array_equal(agent.model.A[0], counts / 2.1)


@pytest.mark.parametrize("observed", [[None], [np.array([0.5, 0.5])]])
def test_a_step_takes_masked_and_soft_observations(observed: list[object]) -> None:
    agent = indifferent(2)

    state, step = agent.step(agent.initial(), observed, np.random.default_rng(0))  # type: ignore[arg-type]

    np.testing.assert_allclose(step.qs[0], [0.5, 0.5])
    assert state.prior == ((0.5, 0.5),)
