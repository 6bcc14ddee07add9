"""Beliefs from one set of observations: exact where possible, and never at the cost of the model."""

from collections.abc import Callable

import numpy as np
import pytest
from emily_cognition.active_inference import (
    GenerativeModel,
    ModelError,
    free_energy,
    infer_states,
    joint_posterior,
    predict_states,
)
from emily_cognition.active_inference.numerics import Real
from hypothesis import given
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**32 - 1)
RandomModel = Callable[..., GenerativeModel]


def bayes(model: GenerativeModel, observations: list[int]) -> Real:
    """P(observations, states) of the model of two factors, by the definition."""
    joint = np.zeros(model.num_states)
    for states in np.ndindex(*model.num_states):
        joint[states] = np.prod([model.D[f][s] for f, s in enumerate(states)])
        for m, outcome in enumerate(observations):
            joint[states] *= model.A[m][(outcome, *(states[f] for f in model.A_dependencies[m]))]
    return joint


@given(seed=SEEDS, sparse=st.booleans())
def test_posterior_is_exact_even_when_likelihoods_have_zeros(
    random_model: RandomModel, seed: int, sparse: bool
) -> None:
    model = random_model(seed, sparse=sparse)
    observations = np.random.default_rng(seed).integers(0, model.num_obs).tolist()
    joint = bayes(model, observations)

    first, second = infer_states(model, observations, model.D)

    if joint.sum() > 0:
        np.testing.assert_allclose(first, joint.sum(axis=1) / joint.sum(), atol=1e-12)
        np.testing.assert_allclose(second, joint.sum(axis=0) / joint.sum(), atol=1e-12)
    assert first.sum() == pytest.approx(1)
    assert second.sum() == pytest.approx(1)


@given(seed=SEEDS)
def test_free_energy_bounds_surprise(random_model: RandomModel, seed: int) -> None:
    model = random_model(seed)
    observations = np.random.default_rng(seed).integers(0, model.num_obs).tolist()
    surprise = -np.log(bayes(model, observations).sum())

    for algorithm in ("exact", "fpi"):
        beliefs = infer_states(model, observations, model.D, inference_algo=algorithm)
        energy = free_energy(model, observations, model.D, beliefs)

        assert energy.total >= surprise - 1e-9
        assert energy.total == pytest.approx(energy.complexity - energy.accuracy)


def test_impossible_observations_leave_the_least_impossible_belief() -> None:
    model = GenerativeModel.create(
        A=[np.eye(3)[:, [0, 0, 1]]], B=[np.eye(3)[:, :, None]], D=[[0.2, 0.8, 0.0]]
    )

    (never,) = infer_states(model, [2], model.D)
    (only_by_the_prior,) = infer_states(model, [1], model.D)

    np.testing.assert_allclose(never, [0.2, 0.8, 0.0], atol=1e-12)
    assert np.isfinite(only_by_the_prior).all()
    assert only_by_the_prior.sum() == pytest.approx(1)


def test_many_modalities_do_not_underflow() -> None:
    model = GenerativeModel.create(A=[[[1e-9, 2e-9], [1 - 1e-9, 1 - 2e-9]]] * 64, B=[np.eye(2)[:, :, None]])

    (belief,) = infer_states(model, [0] * 64, model.D)

    np.testing.assert_allclose(belief, [1 / (1 + 2.0**64), 1.0], rtol=1e-9)


@pytest.mark.parametrize("algorithm", ["exact", "fpi"])
def test_a_masked_observation_says_nothing_and_changes_nothing(
    random_model: RandomModel, algorithm: str
) -> None:
    model = random_model(1)
    before = [a.copy() for a in model.A]
    seen = infer_states(model, [0, 1, 2], model.D)

    blind = infer_states(model, [None, None, None], model.D)
    half = infer_states(model, [0, None, 2], model.D)

    np.testing.assert_allclose(blind[0], model.D[0])
    assert not np.allclose(half[0], seen[0])
    assert all((a == b).all() for a, b in zip(model.A, before, strict=True))
    assert all((a == b).all() for a, b in zip(infer_states(model, [0, 1, 2], model.D), seen, strict=True))


def test_a_soft_observation_averages_the_log_likelihood() -> None:
    model = GenerativeModel.create(A=[[[0.9, 0.2], [0.1, 0.8]]], B=[np.eye(2)[:, :, None]])
    soft = np.array([0.3, 0.7])
    expected = np.exp(soft @ np.log(model.A[0]))

    for algorithm in ("exact", "fpi"):
        (posterior,) = infer_states(model, [soft], model.D, inference_algo=algorithm)
        np.testing.assert_allclose(posterior, expected / expected.sum())
    (certain,) = infer_states(model, [np.array([0.0, 1.0])], model.D)
    np.testing.assert_allclose(certain, infer_states(model, [1], model.D)[0])


def test_a_joint_prior_is_kept_joint() -> None:
    model = GenerativeModel.create(A=[np.full((2, 2, 2), 0.5)], B=[np.eye(2)[:, :, None]] * 2)
    entangled = np.array([0.5, 0.0, 0.0, 0.5])

    np.testing.assert_allclose(joint_posterior(model, [0], entangled), entangled)


def test_prediction_follows_the_action_of_each_factor(random_model: RandomModel) -> None:
    model = random_model(2)

    first, second = predict_states(model, model.D, [1, 0])

    np.testing.assert_allclose(first, model.B[0][..., 1] @ model.D[0])
    np.testing.assert_allclose(second, np.einsum("sab,a,b->s", model.B[1][..., 0], *model.D))


def test_what_does_not_fit_is_refused(random_model: RandomModel) -> None:
    model = random_model(0)
    with pytest.raises(ModelError, match=r"observations\[0\]: 3 is not in 0..2"):
        infer_states(model, [3, 0, 0], model.D)
    with pytest.raises(ModelError, match="observations: 2 given"):
        infer_states(model, [0, 0], model.D)
    with pytest.raises(ModelError, match=r"observations\[1\]: a soft"):
        infer_states(model, [0, np.array([0.5, 0.6]), 0], model.D)
    with pytest.raises(ModelError, match=r"prior\[0\]: shape"):
        infer_states(model, [0, 0, 0], model.D[::-1])
    with pytest.raises(ModelError, match=r"action\[1\]: 2 is not in 0..1"):
        predict_states(model, model.D, [0, 2])
