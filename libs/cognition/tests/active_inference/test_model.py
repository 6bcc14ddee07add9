"""A model fits together, or says which array does not and where."""

from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from emily_cognition.active_inference import GenerativeModel, ModelError

GOOD: dict[str, Any] = {"A": [[[0.9, 0.2], [0.1, 0.8]]], "B": [[[[1.0], [0.0]], [[0.0], [1.0]]]]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"A": []}, "A, B: 0 modalities"),
        ({"A": [[0.9, 0.1]]}, r"A\[0\]: shape \(2,\)"),
        ({"A": [[[0.9, 0.3], [0.1, 0.8]]]}, r"A\[0\]\[:, 1\]: sums to 1.1"),
        ({"A": [[[1.1, 0.2], [-0.1, 0.8]]]}, r"A\[0\]\[1, 0\]: -0.1 is below 0"),
        ({"A": [[[np.nan, 0.2], [0.1, 0.8]]]}, r"A\[0\]\[0, 0\]: nan is not finite"),
        ({"A": [[[0.9], [0.1]]]}, r"A\[0\]: shape \(2, 1\), but \(2, 2\)"),
        ({"A": [np.zeros((0, 2))]}, r"A\[0\]: shape \(0, 2\)"),
        ({"B": [[[1.0, 0.0], [0.0, 1.0]]]}, r"B\[0\]: shape \(2, 2\)"),
        ({"B": [[[[1.0], [0.5]], [[0.0], [1.0]]]]}, r"B\[0\]\[:, 1, 0\]: sums to 1.5"),
        ({"C": [[0.0, np.inf]]}, r"C\[0\]\[1\]: inf"),
        ({"C": [[0.0]]}, r"C\[0\]: shape"),
        ({"C": []}, "C: 0 given, 1 needed"),
        ({"D": [[0.4, 0.4]]}, r"D\[0\]\[:\]: sums to 0.8"),
        ({"E": [0.4, 0.4]}, r"E\[:\]: sums to 0.8"),
        ({"pA": [[[1.0, -1.0], [1.0, 1.0]]]}, r"pA\[0\]\[0, 1\]: -1.0 is below 0"),
        ({"pD": [[1.0]]}, r"pD\[0\]: shape"),
        ({"A_dependencies": [[1]]}, r"A_dependencies\[0\]: \(1,\)"),
        ({"A_dependencies": []}, "A_dependencies: 0 given"),
        ({"B_dependencies": [[0, 0]]}, r"B_dependencies\[0\]: \(0, 0\)"),
    ],
)
def test_a_wrong_model_is_refused_with_its_array_and_slice(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        GenerativeModel.create(**{**GOOD, **change})


def test_a_model_does_not_change_with_the_arrays_it_was_made_from() -> None:
    A = np.array(GOOD["A"][0])
    model = GenerativeModel.create(A=[A], B=GOOD["B"])

    A[:] = 0.0

    assert model.A[0].tolist() == GOOD["A"][0]
    with pytest.raises(ValueError, match="read-only"):
        model.A[0][0, 0] = 1.0
    with pytest.raises(FrozenInstanceError):
        model.A = ()  # type: ignore[misc]


def test_a_factor_that_stays_as_it_is_is_known_to_be_static_unless_it_is_learned() -> None:
    assert GenerativeModel.create(**GOOD).static == (True,)
    assert GenerativeModel.create(**GOOD, pB=GOOD["B"]).static == (False,)
