"""Every operation agrees with torch-hd's reference results."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from emily_instinct import bipolar, holographic, hypervector

Golden = Callable[[str], Any]
FILE = "hdc_torchhd_ops.json"


def test_multiply_add_permute(golden: Golden) -> None:
    case = golden(FILE)["MAP"]
    v = np.array(case["vectors"])
    np.testing.assert_array_equal(bipolar.bind(v[0], v[1]), case["bind_01"])
    np.testing.assert_array_equal(bipolar.permute(v[0], 3), case["permute_0_by3"])
    np.testing.assert_array_equal(bipolar.inverse(v[1]), case["inverse_1"])
    np.testing.assert_array_equal(bipolar.bundle(v), case["multiset"])
    np.testing.assert_array_equal(bipolar.ngrams(v, 3), case["ngrams3"])
    np.testing.assert_array_equal(bipolar.bundle_sequence(v), case["bundle_sequence"])
    np.testing.assert_array_equal(bipolar.bind_sequence(v), case["bind_sequence"])
    np.testing.assert_allclose(bipolar.cosine_similarity(v[0], v), case["cosine_0_all"], atol=1e-6)
    np.testing.assert_array_equal(bipolar.dot_similarity(v[0], v), case["dot_0_all"])
    unbound = bipolar.bind(bipolar.bind(v[0], v[1]), bipolar.inverse(v[1]))
    assert bipolar.cosine_similarity(unbound, v[:1])[0] == pytest.approx(case["unbind_similarity"])


def test_binary_spatter_code(golden: Golden) -> None:
    case = golden(FILE)["BSC"]
    bits = np.array(case["vectors"])
    dimension = bits.shape[1]
    v = hypervector.pack(bits)

    def same(packed: hypervector.Packed, expected: list[float]) -> None:
        np.testing.assert_array_equal(hypervector.unpack(packed, dimension), expected)

    same(hypervector.bind(v[0], v[1]), case["bind_01"])
    same(hypervector.permute(v[0], 3, dimension), case["permute_0_by3"])
    same(hypervector.inverse(v[1]), case["inverse_1"])
    same(hypervector.bundle(v, dimension, v[0]), case["multiset5"])
    np.testing.assert_array_equal(hypervector.hamming_similarity(v[0], v, dimension), case["hamming_0_all"])
    np.testing.assert_array_equal(hypervector.dot_similarity(v[0], v, dimension), case["dot_0_all"])
    np.testing.assert_allclose(hypervector.cosine_similarity(v[0], v, dimension), case["cosine_0_all"])


def test_holographic_reduced_representation(golden: Golden) -> None:
    case = golden(FILE)["HRR"]
    v = np.array(case["vectors"])
    np.testing.assert_allclose(holographic.bind(v[0], v[1]), case["bind_01"], atol=1e-6)
    np.testing.assert_allclose(holographic.permute(v[0], 3), case["permute_0_by3"])
    np.testing.assert_allclose(holographic.inverse(v[1]), case["inverse_1"])
    np.testing.assert_allclose(holographic.cosine_similarity(v[0], v), case["cosine_0_all"], atol=1e-6)
    unbound = holographic.bind(holographic.bind(v[0], v[1]), holographic.inverse(v[1]))
    similarity = holographic.cosine_similarity(unbound, v[:1])[0]
    assert similarity == pytest.approx(case["unbind_similarity"], abs=1e-6)


def test_phasors(golden: Golden) -> None:
    case = golden(FILE)["FHRR"]

    def phasors(pairs: Any) -> holographic.Phasor:
        array = np.array(pairs)
        return np.asarray(array[..., 0] + 1j * array[..., 1])

    v = phasors(case["vectors"])
    np.testing.assert_allclose(holographic.bind_phasors(v[0], v[1]), phasors(case["bind_01"]), atol=1e-6)
    np.testing.assert_allclose(holographic.permute(v[0], 3), phasors(case["permute_0_by3"]))
    np.testing.assert_allclose(holographic.inverse_phasor(v[1]), phasors(case["inverse_1"]))
    np.testing.assert_allclose(holographic.phasor_cosine_similarity(v[0], v), case["cosine_0_all"], atol=1e-6)
    np.testing.assert_allclose(holographic.phasor_dot_similarity(v[0], v), case["dot_0_all"], atol=1e-4)
