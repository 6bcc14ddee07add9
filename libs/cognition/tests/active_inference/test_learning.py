"""Counts of what was seen: what they learn, keep and forget."""

from collections.abc import Callable

import numpy as np
import pytest
from emily_cognition.active_inference import (
    GenerativeModel,
    ModelError,
    Rate,
    hmm_filter,
    hmm_smoother,
    update_A,
    update_B,
    update_D,
)

RandomModel = Callable[..., GenerativeModel]


def test_structural_zeros_survive_learning_without_nan() -> None:
    B = np.zeros((3, 3, 1))
    B[[1, 2, 2], [0, 1, 2], 0] = 1.0
    model = GenerativeModel.create(A=[np.eye(3)], B=[B], D=[[1, 0, 0]], pB=[4 * B])
    filtered = hmm_filter(np.eye(3), B, [1, 0, 0], [0, 1, 2], [0, 0])
    smoothed, pairwise = hmm_smoother(B, filtered, [0, 0])

    for learned in (
        update_B(model, (smoothed,), [[0], [0]], pairwise=(pairwise,)),
        update_B(model, (np.full((3, 3), 1 / 3),), [[0], [0]]),
    ):
        assert learned.pB is not None
        assert (learned.pB[0][B == 0] == 0).all()
        np.testing.assert_array_equal(learned.B[0], B)


def test_a_distribution_without_counts_stays_as_it_is() -> None:
    model = GenerativeModel.create(
        A=[[[0.9, 0.3], [0.1, 0.7]]], B=[np.eye(2)[:, :, None]], pA=[[[0.0, 1.0], [0.0, 1.0]]]
    )

    learned = update_A(model, [[0]], (np.array([[0.5, 0.5]]),))

    np.testing.assert_allclose(learned.A[0], [[0.9, 0.6], [0.1, 0.4]])


def test_masked_outcomes_teach_nothing_and_soft_ones_by_halves(random_model: RandomModel) -> None:
    model = random_model(1, counts=True)
    beliefs = tuple(np.array([q]) for q in model.D)
    assert model.pA is not None

    learned = update_A(model, [[None, np.array([0.25, 0.75]), 3]], beliefs, Rate(lr=2.0))

    assert learned.pA is not None
    np.testing.assert_array_equal(learned.pA[0], model.pA[0])
    gained = (learned.pA[1] - model.pA[1]).sum(axis=(1, 2))
    np.testing.assert_allclose(gained, [0.5, 1.5])


def test_transitions_are_learned_under_the_action_taken(random_model: RandomModel) -> None:
    model = random_model(1, counts=True)
    beliefs = tuple(np.stack([q, q]) for q in model.D)
    assert model.pB is not None

    learned = update_B(model, beliefs, [[1, 0]])

    assert learned.pB is not None
    gained = [after - before for after, before in zip(learned.pB, model.pB, strict=True)]
    assert gained[0].sum(axis=(0, 1)) == pytest.approx([0.0, 1.0])
    assert gained[1].sum(axis=(0, 1, 2)) == pytest.approx([1.0, 0.0])
    np.testing.assert_allclose(gained[1][..., 0], np.einsum("s,a,b->sab", model.D[1], *model.D))


def test_forgetting_relaxes_counts_to_their_start() -> None:
    model = GenerativeModel.create(A=[np.eye(3)], B=[np.eye(3)[:, :, None]], pD=[[1.0, 5.0, 1.0]])
    rate = Rate(forgetting=0.5, initial=(np.ones(3),))

    learned = update_D(model, (np.array([1.0, 0.0, 0.0]),), rate)

    assert learned.pD is not None
    assert learned.pD[0].tolist() == [2.0, 3.0, 1.0]
    np.testing.assert_allclose(learned.D[0], np.array([2.0, 3.0, 1.0]) / 6)


def test_what_does_not_fit_is_refused(random_model: RandomModel) -> None:
    model, counted = random_model(0), random_model(0, counts=True)
    with pytest.raises(ModelError, match="pA: the model has no counts"):
        update_A(model, [[0, 0, 0]], tuple(q[None] for q in model.D))
    with pytest.raises(ModelError, match=r"beliefs\[0\]: shape \(1, 3\), but \(2, 3\)"):
        update_B(counted, tuple(q[None] for q in counted.D), [[0, 0]])
    with pytest.raises(ModelError, match="beliefs: 1 given, 2 needed"):
        update_D(counted, counted.D[:1])
    with pytest.raises(ModelError, match="forgetting: 2"):
        Rate(forgetting=2)
    with pytest.raises(ModelError, match="lr: -1"):
        Rate(lr=-1)
