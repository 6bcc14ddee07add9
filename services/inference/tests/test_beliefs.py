from __future__ import annotations

import numpy as np
from emily_inference.vision.beliefs import Reading, likelihood, posterior, predicted, with_edge
from emily_inference.vision.grey import DIGITS, LEVELS, PLACES
from emily_inference.vision.hypotheses import STRUCTURES, UNCHANGED, Structure
from emily_inference.vision.model import VisionModel
from hypothesis import given, settings
from hypothesis import strategies as st

RIGHT = STRUCTURES.index(Structure(1, 0, 0.0))


@settings(max_examples=20, deadline=None)
@given(
    seen=st.dictionaries(
        st.integers(0, PLACES - 1), st.tuples(st.integers(0, LEVELS - 1), st.floats(0.2, 2)), max_size=5
    )
)
def test_posterior_is_bayes_over_digit_and_style_one_state_at_a_time(
    model: VisionModel, seen: dict[int, tuple[int, float]]
) -> None:
    readings = tuple(Reading(place, level, gain) for place, (level, gain) in seen.items())
    compiled = likelihood(model.counts, model.prior, (UNCHANGED,), np.ones(1))

    expected = np.empty_like(model.prior)
    for digit, style in np.ndindex(expected.shape):
        joint = model.prior[digit, style]
        for reading in readings:
            counts = model.counts[reading.place, :, digit, style]
            joint *= (counts[reading.level] / counts.sum()) ** reading.gain
        expected[digit, style] = joint

    np.testing.assert_allclose(posterior(compiled, readings), expected / expected.sum(), rtol=1e-9)


def test_predictions_are_the_posterior_mean_of_the_likelihood(model: VisionModel) -> None:
    compiled = likelihood(model.counts, model.prior, (UNCHANGED, RIGHT), np.array([0.7, 0.3]))
    joint = posterior(compiled, (Reading(3, 5, 1.0), Reading(40, 0, 1.0)))
    both = predicted(compiled, joint)
    np.testing.assert_allclose(both.sum(axis=(0, 2)), 1.0)
    np.testing.assert_allclose(both.sum(axis=2), np.tile(joint.sum(axis=1)[:, None], PLACES))
    np.testing.assert_allclose(both, np.einsum("dplk,dk->dpl", compiled.table, joint))


def test_a_moved_picture_is_read_where_it_was_learned(model: VisionModel) -> None:
    compiled = likelihood(model.counts, model.prior, (RIGHT,), np.ones(1))
    expected = with_edge(model.counts)
    np.testing.assert_allclose(compiled.table[:, 9], np.moveaxis(expected[8], 1, 0))


def test_beyond_the_edge_the_picture_is_blank_whatever_the_digit(model: VisionModel) -> None:
    compiled = likelihood(model.counts, model.prior, (RIGHT,), np.ones(1))
    edge = compiled.table[:, 8]
    assert np.all(edge[:, 0] == edge[0, 0])
    assert edge[0, 0, 0] > 0.9
    np.testing.assert_allclose(posterior(compiled, (Reading(8, 0, 1.0),)).sum(axis=1), np.full(DIGITS, 0.1))
