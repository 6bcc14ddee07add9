from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from emily_instinct import holographic


def test_operations_equal_torchhd_hrr(torchhd: dict[str, Any]) -> None:
    golden = torchhd["HRR"]
    vectors = np.array(golden["vectors"])
    first, second = vectors[:2]
    for name, value in {
        "bind_01": holographic.bind(first, second),
        "inverse_1": holographic.inverse(second),
        "permute_0_by3": holographic.permute(first, 3),
        "dot_0_all": holographic.dot_similarity(first, vectors),
        "cosine_0_all": holographic.cosine_similarity(first, vectors),
    }.items():
        np.testing.assert_allclose(value, golden[name], rtol=0, atol=2e-7, err_msg=name)
    unbound = holographic.bind(holographic.bind(first, second), holographic.inverse(second))
    assert holographic.cosine_similarity(unbound, first) == pytest.approx(
        golden["unbind_similarity"], abs=1e-6
    )


def test_binding_is_the_circular_convolution_in_odd_dimensions_too(rng: np.random.Generator) -> None:
    a, b = holographic.random(2, 7, rng)
    summed = [sum(a[j] * b[(i - j) % 7] for j in range(7)) for i in range(7)]
    np.testing.assert_allclose(holographic.bind(a, b), summed, atol=1e-12)


def test_pair_is_found_in_a_bundle_of_pairs(rng: np.random.Generator) -> None:
    keys, values = holographic.random(4, 4096, rng), holographic.random(4, 4096, rng)
    whole = holographic.bundle(np.stack([holographic.bind(k, v) for k, v in zip(keys, values, strict=True)]))
    recalled = holographic.bind(whole, holographic.inverse(keys[2]))
    assert int(np.argmax(holographic.cosine_similarity(recalled, values))) == 2
