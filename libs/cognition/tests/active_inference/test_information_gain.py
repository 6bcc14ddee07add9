"""What looks are expected to tell is what expected free energy says of them."""

import numpy as np
import pytest
from emily_cognition.active_inference import (
    ExpectedFreeEnergy,
    GenerativeModel,
    ModelError,
    Policies,
    conditional_entropy,
    information_gain,
)
from hypothesis import given
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS)
def test_the_gain_of_looks_is_that_of_policies_that_pick_them(seed: int) -> None:
    """A factor that the action sets picks which of three likelihoods is seen."""
    rng = np.random.default_rng(seed)
    looks = np.stack([rng.dirichlet(np.ones(4), size=6).T for _ in range(3)])
    posterior = rng.dirichlet(np.ones(6))
    go = np.stack([np.repeat(np.eye(3)[:, [u]], 3, axis=1) for u in range(3)], axis=-1)
    model = GenerativeModel.create(A=[np.moveaxis(looks, 0, -1)], B=[np.eye(6)[:, :, None], go])
    expected = ExpectedFreeEnergy(model, Policies.enumerated(model).tree)

    gains = information_gain(posterior, looks)

    beliefs = (posterior, np.array([1.0, 0.0, 0.0]))
    np.testing.assert_allclose(gains, expected.report(beliefs).state_info_gain[:, 0, 0], atol=1e-12)
    np.testing.assert_allclose(gains, expected.neg_efe(beliefs), atol=1e-12)
    saved = information_gain(posterior, looks, entropies=conditional_entropy(looks))
    np.testing.assert_allclose(gains, saved, atol=1e-12)


@given(SEEDS)
def test_the_gain_about_a_class_is_the_expected_fall_of_its_entropy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    looks = np.stack([rng.dirichlet(np.ones(4), size=6).T for _ in range(3)])
    posterior = rng.dirichlet(np.ones(6))
    classes = np.repeat(np.eye(2), 3, axis=1)
    before = classes @ posterior
    fall = np.full(3, -before @ np.log(before))
    for look in range(3):
        for likelihood in looks[look]:
            after = classes @ (likelihood * posterior)
            fall[look] += after @ np.log(after / after.sum())

    gains = information_gain(posterior, looks, classes)

    np.testing.assert_allclose(gains, fall, atol=1e-12)
    assert (gains <= information_gain(posterior, looks) + 1e-12).all()
    np.testing.assert_allclose(
        information_gain(posterior, looks, np.eye(6)), information_gain(posterior, looks), atol=1e-12
    )


def test_a_look_at_what_is_known_tells_nothing() -> None:
    looks = np.array([[[1.0, 0.0], [0.0, 1.0]]])

    assert information_gain(np.array([1.0, 0.0]), looks)[0] == pytest.approx(0, abs=1e-14)
    assert information_gain(np.array([0.5, 0.5]), looks)[0] == pytest.approx(np.log(2))


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ModelError, match="likelihood: shape"):
        information_gain(np.ones(3) / 3, np.ones((2, 2, 2)) / 2)
    with pytest.raises(ModelError, match="group: shape"):
        information_gain(np.ones(2) / 2, np.ones((2, 2, 2)) / 2, np.ones((1, 3)))
