from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from emily_instinct import bipolar
from emily_instinct.errors import InstinctError


def test_operations_equal_torchhd_map(torchhd: dict[str, Any]) -> None:
    golden = torchhd["MAP"]
    vectors = np.array(golden["vectors"])
    first, second = vectors[:2]
    for name, value in {
        "bind_01": bipolar.bind(first, second),
        "inverse_1": bipolar.inverse(second),
        "permute_0_by3": bipolar.permute(first, 3),
        "multiset": bipolar.bundle(vectors),
        "ngrams3": bipolar.ngrams(vectors, 3),
        "bundle_sequence": bipolar.bundle_sequence(vectors),
        "bind_sequence": bipolar.bind_sequence(vectors),
        "dot_0_all": bipolar.dot_similarity(first, vectors),
    }.items():
        np.testing.assert_array_equal(value, golden[name], name)
    np.testing.assert_allclose(
        bipolar.cosine_similarity(first, vectors), golden["cosine_0_all"], rtol=0, atol=1e-12
    )
    unbound = bipolar.bind(bipolar.bind(first, second), bipolar.inverse(second))
    assert bipolar.cosine_similarity(unbound, first) == pytest.approx(golden["unbind_similarity"])


def test_random_vectors_are_minus_and_plus_one_and_nearly_orthogonal(rng: np.random.Generator) -> None:
    vectors = bipolar.random(5, 4000, rng)
    assert set(np.unique(vectors)) == {-1.0, 1.0}
    assert np.abs(bipolar.cosine_similarity(vectors[0], vectors[1:])).max() < 0.06


def test_zero_vector_is_like_nothing() -> None:
    assert bipolar.cosine_similarity(np.zeros(8), np.ones((2, 8))).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("n", [0, 4])
def test_window_that_does_not_fit_the_sequence_is_refused(n: int) -> None:
    with pytest.raises(InstinctError, match=r"n: \d is not in 1..3"):
        bipolar.ngrams(np.ones((3, 8)), n)
