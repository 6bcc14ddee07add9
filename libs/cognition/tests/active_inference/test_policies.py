"""Policies are listed, or proposed with a prior; they are weighed alike."""

from collections.abc import Callable

import numpy as np
import pytest
from emily_cognition.active_inference import (
    ExpectedFreeEnergy,
    GenerativeModel,
    ModelError,
    Policies,
    construct_policies,
)

RandomModel = Callable[..., GenerativeModel]


def test_every_policy_is_listed_once() -> None:
    policies = construct_policies([3, 2], 2)

    assert policies.shape == (36, 2, 2)
    assert len(np.unique(policies, axis=0)) == 36


def test_too_many_policies_are_refused_with_a_remedy() -> None:
    with pytest.raises(ModelError, match="16777216 policies, more than 65536; use search"):
        construct_policies([16, 16], 3)
    with pytest.raises(ModelError, match="policy_len: 0"):
        construct_policies([2], 0)


def test_proposals_share_the_prior_and_are_worth_what_all_are(random_model: RandomModel) -> None:
    model = random_model(3)
    listed = Policies.of(model, construct_policies(model.num_controls, 2)[:4])
    known, fresh = listed.actions[0], np.array([[1, 1], [1, 1]])

    grown = listed.with_proposals(model, [known, fresh, fresh], [2.0, 1.0, 1.0], share=0.2)

    np.testing.assert_allclose(grown.prior, [0.2 + 0.1, 0.2, 0.2, 0.2, 0.1])
    assert grown.actions[4].tolist() == fresh.tolist()
    values = ExpectedFreeEnergy(model, grown.tree).neg_efe(model.D)
    alone = ExpectedFreeEnergy(model, Policies.of(model, [fresh]).tree).neg_efe(model.D)
    assert values[4] == pytest.approx(alone[0])


@pytest.mark.parametrize(
    ("proposals", "weights", "share", "message"),
    [
        ([[[9, 0], [0, 0]]], [1.0], 0.2, r"policies\[0, 0, 0\]: 9 is not in 0..1"),
        ([[[0, 0]]], [1.0], 0.2, "of 1 steps, not 2"),
        ([[[0.5, 0], [0, 0]]], [1.0], 0.2, "whole numbers"),
        ([[0, 0]], [1.0], 0.2, "policies: shape"),
        ([[[0, 0], [0, 0]]], [-1.0], 0.2, "prior: 1 weights"),
        ([[[0, 0], [0, 0]]], [np.nan], 0.2, "prior: 1 weights"),
        ([[[0, 0], [0, 0]]], [1.0], 1.0, "share: 1.0"),
        ([[[0, 0], [0, 0]]] * 65, [1.0] * 65, 0.2, "65 are more than 64"),
    ],
)
def test_proposals_that_do_not_fit_are_refused(
    random_model: RandomModel, proposals: object, weights: list[float], share: float, message: str
) -> None:
    model = random_model(3)
    with pytest.raises(ModelError, match=message):
        Policies.enumerated(model, 2).with_proposals(model, proposals, weights, share=share)  # type: ignore[arg-type]


def test_the_prior_of_the_model_is_that_of_its_policies() -> None:
    model = GenerativeModel.create(A=[np.eye(2)], B=[np.stack([np.eye(2)] * 2, -1)], E=[0.7, 0.3])

    assert Policies.enumerated(model).prior.tolist() == pytest.approx([0.7, 0.3])
    with pytest.raises(ModelError, match="prior: 4 weights"):
        Policies.enumerated(model, 2)
