"""Beliefs over sequences, where transitions are coupled or impossible."""

import numpy as np
import pytest
from emily_cognition.active_inference import (
    GenerativeModel,
    ModelError,
    filter_states,
    hmm_filter,
    hmm_smoother,
    marginal_message_passing,
    variational_message_passing,
)


@pytest.mark.parametrize("infer", [marginal_message_passing, variational_message_passing, filter_states])
def test_coupled_transitions_are_followed(infer: object) -> None:
    """The second factor copies the first, which alone is seen."""
    copy = np.zeros((2, 2, 2, 1))
    copy[0, 0, :, 0] = copy[1, 1, :, 0] = 1.0
    model = GenerativeModel.create(
        A=[[[0.99, 0.01], [0.01, 0.99]]],
        B=[np.eye(2)[:, :, None], copy],
        A_dependencies=[[0]],
        B_dependencies=[[0], [0, 1]],
    )
    assert callable(infer)

    beliefs = infer(model, [[1], [1]], [[0, 0]])

    assert beliefs[1][1][1] > 0.9


def test_smoothing_impossible_transitions_gives_no_nan() -> None:
    B = np.zeros((3, 3, 1))
    B[[1, 2, 2], [0, 1, 2], 0] = 1.0

    filtered = hmm_filter(np.eye(3), B, [1, 0, 0], [0, 1, 2], [0, 0])
    smoothed, pairwise = hmm_smoother(B, filtered, [0, 0])

    np.testing.assert_array_equal(smoothed, np.eye(3))
    assert (pairwise[:, B[..., 0] == 0] == 0).all()


def test_filtering_a_sequence_is_exact_for_one_factor() -> None:
    A, B = np.array([[0.8, 0.3], [0.2, 0.7]]), np.array([[[0.9], [0.4]], [[0.1], [0.6]]])
    model = GenerativeModel.create(A=[A], B=[B], D=[[0.5, 0.5]])

    (online,) = filter_states(model, [[0], [1], [1]], [[0], [0]])

    np.testing.assert_allclose(online, hmm_filter(A, B, [0.5, 0.5], [0, 1, 1], [0, 0]))


def test_a_sequence_needs_its_actions() -> None:
    model = GenerativeModel.create(A=[np.eye(2)], B=[np.eye(2)[:, :, None]])
    for infer in (filter_states, marginal_message_passing):
        with pytest.raises(ModelError, match="actions: 0 given for 3 observations"):
            infer(model, [[0], [0], [0]], [])
