"""Expected free energy: its terms add up, and the ways to compute it agree."""

from collections.abc import Callable

import numpy as np
import pytest
from emily_cognition.active_inference import (
    ExpectedFreeEnergy,
    GenerativeModel,
    ModelError,
    Policies,
    construct_policies,
    infer_states,
    predict_states,
)
from emily_cognition.active_inference.numerics import Real, dirichlet_novelty, log_sum_exp
from hypothesis import given
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**32 - 1)
RandomModel = Callable[..., GenerativeModel]
RandomBeliefs = Callable[[int], tuple[Real, ...]]


def by_definition(model: GenerativeModel, beliefs: tuple[Real, ...], policy: Real) -> float:
    """Utility and information gain of one policy, step by step, with loops."""
    total = 0.0
    for t, action in enumerate(policy):
        beliefs = predict_states(model, beliefs, action)
        for m, a in enumerate(model.A):
            given = [np.asarray(beliefs[f]) for f in model.A_dependencies[m]]
            joint = np.einsum("i,j->ij", *given).ravel() if len(given) == 2 else given[0]
            likelihood = a.reshape(len(a), -1)
            outcomes = likelihood @ joint
            c = model.C[m] if model.C[m].ndim == 1 else model.C[m][t]
            total += float(outcomes @ (c - np.log(outcomes)))
            total += float(np.einsum("oj,oj,j->", likelihood, np.log(likelihood), joint))
    return total


@given(seed=SEEDS)
def test_every_policy_is_worth_what_the_definition_says(
    random_model: RandomModel, random_beliefs: RandomBeliefs, seed: int
) -> None:
    model, beliefs = random_model(seed), random_beliefs(seed)
    policies = Policies.enumerated(model, 2)

    neg_efe = ExpectedFreeEnergy(model, policies.tree).neg_efe(beliefs)

    expected = [by_definition(model, beliefs, policy) for policy in policies.actions]
    np.testing.assert_allclose(neg_efe, expected, atol=1e-10)


@given(seed=SEEDS, chosen=st.lists(st.integers(0, 15), min_size=1, max_size=6))
def test_a_policy_is_worth_the_same_whichever_others_are_weighed(
    random_model: RandomModel, random_beliefs: RandomBeliefs, seed: int, chosen: list[int]
) -> None:
    model, beliefs = random_model(seed), random_beliefs(seed)
    every = Policies.enumerated(model, 2)
    some = Policies.of(model, every.actions[chosen])

    together = ExpectedFreeEnergy(model, every.tree).neg_efe(beliefs)
    alone = ExpectedFreeEnergy(model, some.tree).neg_efe(beliefs)

    np.testing.assert_allclose(alone, together[chosen], atol=1e-12)


@given(seed=SEEDS)
def test_many_beliefs_at_once_are_worth_what_each_is_alone(
    random_model: RandomModel, random_beliefs: RandomBeliefs, seed: int
) -> None:
    model = random_model(seed)
    many = [random_beliefs(seed + i) for i in range(3)]
    expected = ExpectedFreeEnergy(model, Policies.enumerated(model, 2).tree)

    together = expected.neg_efe([np.stack([beliefs[f] for beliefs in many]) for f in range(2)])

    np.testing.assert_allclose(together, [expected.neg_efe(beliefs) for beliefs in many], atol=1e-12)


@given(seed=SEEDS, still=st.booleans())
def test_independent_factors_are_worth_what_the_definition_says(seed: int, still: bool) -> None:
    rng = np.random.default_rng(seed)
    B = [rng.dirichlet(np.ones(n), size=(n, 2)).transpose(2, 0, 1) for n in (3, 2)]
    if still:
        B[1] = np.eye(2)[:, :, None]
    A = [rng.dirichlet(np.ones(4), size=(3, 2)).transpose(2, 0, 1), rng.dirichlet(np.ones(2), size=2).T]
    model = GenerativeModel.create(
        A=A, B=B, C=[rng.normal(size=4), rng.normal(size=2)], A_dependencies=[[0, 1], [1]]
    )
    beliefs = (rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(2)))
    every = Policies.enumerated(model, 2)
    diagonal = Policies.of(model, every.actions[[0, -1]])

    for policies in (every, diagonal):
        neg_efe = ExpectedFreeEnergy(model, policies.tree).neg_efe(beliefs)
        expected = [by_definition(model, beliefs, policy) for policy in policies.actions]
        np.testing.assert_allclose(neg_efe, expected, atol=1e-10)
        twice = ExpectedFreeEnergy(model, policies.tree).neg_efe([np.stack([q, q]) for q in beliefs])
        np.testing.assert_allclose(twice, [expected, expected], atol=1e-10)


@given(seed=SEEDS)
def test_the_terms_add_up_both_ways(
    random_model: RandomModel, random_beliefs: RandomBeliefs, seed: int
) -> None:
    model, beliefs = random_model(seed, counts=True), random_beliefs(seed)
    tree = Policies.enumerated(model, 2).tree
    report = ExpectedFreeEnergy(model, tree, use_param_info_gain=True).report(beliefs)

    constant = sum(float(log_sum_exp(np.atleast_2d(c)).sum()) * (2 if c.ndim == 1 else 1) for c in model.C)
    novelty = report.param_info_gain.sum(axis=1)
    risk_and_ambiguity = report.risk.sum(axis=(1, 2)) + report.ambiguity.sum(axis=(1, 2))

    np.testing.assert_allclose(report.neg_efe, novelty + constant - risk_and_ambiguity, atol=1e-10)
    plain = ExpectedFreeEnergy(model, tree).neg_efe(beliefs)
    np.testing.assert_allclose(report.neg_efe - novelty, plain, atol=1e-10)
    for term in (report.risk, report.ambiguity, report.state_info_gain, report.novelty_A, report.novelty_B):
        assert (term >= -1e-12).all()


def test_what_is_known_well_is_no_news() -> None:
    scarce = dirichlet_novelty(np.array([[1.0], [1.0]]))
    plenty = dirichlet_novelty(np.array([[100.0], [100.0]]))

    assert (scarce > plenty).all()
    assert (plenty > 0).all()
    assert dirichlet_novelty(np.array([[0.0], [1.0]]))[0, 0] == 0.0


def test_policies_that_teach_are_preferred_when_learning_counts() -> None:
    go = np.stack([np.eye(2)[:, [0, 0]], np.eye(2)[:, [1, 1]]], axis=-1)
    model = GenerativeModel.create(
        A=[np.full((2, 2), 0.5)], B=[go], pA=[np.array([[50.0, 1.0], [50.0, 1.0]])]
    )
    expected = ExpectedFreeEnergy(model, Policies.enumerated(model).tree, use_param_info_gain=True)

    known, unknown = expected.neg_efe((np.array([1.0, 0.0]),))

    assert unknown > known


def test_preferences_may_change_over_time(random_model: RandomModel) -> None:
    model = random_model(3)
    with pytest.raises(ModelError, match=r"C\[2\]: preferences for 2 steps, but policies have 3"):
        ExpectedFreeEnergy(model, Policies.of(model, construct_policies(model.num_controls, 3)).tree)


def test_novelty_needs_counts(random_model: RandomModel) -> None:
    model = random_model(3)
    with pytest.raises(ModelError, match="needs pA, pB or both"):
        ExpectedFreeEnergy(model, Policies.enumerated(model).tree, use_param_info_gain=True)


@given(seed=SEEDS)
def test_the_order_in_which_dependencies_are_listed_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.dirichlet(np.ones(4), size=(3, 2)).transpose(2, 0, 1)
    first = rng.dirichlet(np.ones(3), size=(3, 2)).transpose(2, 0, 1)
    second = rng.dirichlet(np.ones(2), size=(3, 2, 2)).transpose(3, 0, 1, 2)
    listed = {"A_dependencies": [[0, 1]], "B_dependencies": [[0], [0, 1]]}
    turned = {"A_dependencies": [[1, 0]], "B_dependencies": [[0], [1, 0]]}
    models = (
        GenerativeModel.create(A=[a], B=[first, second], **listed),
        GenerativeModel.create(A=[a.swapaxes(1, 2)], B=[first, second.swapaxes(1, 2)], **turned),
    )
    beliefs = (rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(2)))

    values = []
    for model in models:
        expected = ExpectedFreeEnergy(model, Policies.enumerated(model, 2).tree)
        seen = [infer_states(model, [1], beliefs, inference_algo=how) for how in ("exact", "fpi")]
        values.append((*seen[0], *seen[1], expected.neg_efe(beliefs), expected.report(beliefs).neg_efe))

    for one, other in zip(*values, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
