from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from emily_instinct import phasor


def _complex(pairs: Any) -> phasor.Phasor:
    array = np.array(pairs)
    return array[..., 0] + 1j * array[..., 1]


def test_operations_equal_torchhd_fhrr(torchhd: dict[str, Any]) -> None:
    golden = torchhd["FHRR"]
    vectors = _complex(golden["vectors"])
    first, second = vectors[:2]
    for name, value in {
        "bind_01": phasor.bind(first, second),
        "inverse_1": phasor.inverse(second),
        "permute_0_by3": phasor.permute(first, 3),
    }.items():
        np.testing.assert_allclose(value, _complex(golden[name]), rtol=0, atol=2e-7, err_msg=name)
    for name, similarity in {
        "dot_0_all": phasor.dot_similarity(first, vectors),
        "cosine_0_all": phasor.cosine_similarity(first, vectors),
    }.items():
        np.testing.assert_allclose(similarity, golden[name], rtol=0, atol=1e-5, err_msg=name)
    unbound = phasor.bind(phasor.bind(first, second), phasor.inverse(second))
    assert phasor.cosine_similarity(unbound, first) == pytest.approx(golden["unbind_similarity"])


def test_binding_with_the_inverse_gives_back_the_vector(rng: np.random.Generator) -> None:
    a, key = phasor.random(2, 1000, rng)
    np.testing.assert_allclose(phasor.bind(phasor.bind(a, key), phasor.inverse(key)), a, atol=1e-12)


def test_bundle_is_like_its_parts_only(rng: np.random.Generator) -> None:
    vectors = phasor.random(6, 4096, rng)
    similarity = phasor.cosine_similarity(phasor.bundle(vectors[:3]), vectors)
    assert similarity[:3].min() > 0.5
    assert np.abs(similarity[3:]).max() < 0.1


def test_zero_vector_is_like_nothing() -> None:
    assert phasor.cosine_similarity(np.zeros(4, dtype=np.complex128), np.ones((1, 4), dtype=complex)) == [0.0]
