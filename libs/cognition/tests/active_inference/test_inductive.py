"""Inductive planning: a goal many steps away is kept within reach."""

from collections.abc import Callable

import numpy as np
import pytest
from emily_cognition.active_inference import (
    Agent,
    GenerativeModel,
    Intention,
    ModelError,
    Policies,
    generate_I_matrix,
)

RandomModel = Callable[..., GenerativeModel]


def chain(length: int) -> GenerativeModel:
    """States in a row; control 0 goes left, 1 right; nothing is preferred."""
    B = np.zeros((length, length, 2))
    for s in range(length):
        B[max(s - 1, 0), s, 0] = B[min(s + 1, length - 1), s, 1] = 1.0
    return GenerativeModel.create(A=[np.eye(length)], B=[B], D=[np.eye(length)[0]])


def test_an_agent_walks_to_a_goal_beyond_its_policies() -> None:
    model = chain(7)
    goal = np.eye(7)[6]
    reachability = generate_I_matrix(model, [goal], threshold=0.1, depth=8)
    agent = Agent(model=model, policies=Policies.enumerated(model), intention=Intention(reachability))
    state, rng, place = agent.initial(), np.random.default_rng(0), 0

    for _ in range(6):
        state, step = agent.step(state, [place], rng)
        place = max(place - 1, 0) if step.action == (0,) else min(place + 1, 6)

    assert place == 6


def test_a_goal_out_of_reach_adds_nothing() -> None:
    model = chain(7)
    reachability = generate_I_matrix(model, [np.eye(7)[6]], threshold=0.1, depth=3)
    agent = Agent(model=model, policies=Policies.enumerated(model), intention=Intention(reachability))

    assert (agent.report(model.D).inductive == 0).all()


def test_another_factor_may_open_the_way(random_model: RandomModel) -> None:
    """A door (the second factor) is passed only while the first is open."""
    door = np.zeros((2, 2, 2, 1))
    door[0, 0, :, 0] = np.eye(2)[0]
    door[1, 0, :, 0] = np.eye(2)[1]
    door[:, 1, :, 0] = [[0.0, 0.0], [1.0, 1.0]]
    model = GenerativeModel.create(
        A=[[[1.0, 1.0]]],
        B=[np.eye(2)[:, :, None], door],
        A_dependencies=[[0]],
        B_dependencies=[[0], [0, 1]],
    )

    reachability = generate_I_matrix(model, [[0, 0], [0, 1]], threshold=0.1, depth=2)

    assert reachability[1].tolist() == [[0, 1], [1, 1]]


def test_what_does_not_fit_is_refused() -> None:
    model = chain(2)
    with pytest.raises(ModelError, match="depth: 0"):
        generate_I_matrix(model, [[0, 1]], threshold=0.1, depth=0)
    with pytest.raises(ModelError, match=r"H\[0\]: shape \(3,\)"):
        generate_I_matrix(model, [[0, 1, 0]], threshold=0.1, depth=2)
    with pytest.raises(ModelError, match="H: 0 given"):
        generate_I_matrix(model, [], threshold=0.1, depth=2)
    with pytest.raises(ModelError, match="epsilon: 1"):
        Intention((), epsilon=1)
    blind = GenerativeModel.create(
        A=[np.full((2, 2, 2), 0.5)], B=[np.eye(2)[:, :, None]] * 2, B_dependencies=[[1], [1]]
    )
    with pytest.raises(ModelError, match=r"B_dependencies\[0\]: \(1,\) lacks 0"):
        generate_I_matrix(blind, [[0, 1], [0, 0]], threshold=0.1, depth=2)
