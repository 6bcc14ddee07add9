from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from emily_instinct import hypervector
from emily_instinct.errors import InstinctError
from hypothesis import given
from hypothesis import strategies as st

dimensions = st.integers(1, 300)
seeds = st.integers(0, 2**32 - 1)


def test_operations_equal_torchhd_binary_spatter_code(torchhd: dict[str, Any]) -> None:
    golden = torchhd["BSC"]
    dimension = torchhd["D"]
    vectors = hypervector.pack(golden["vectors"])
    first, second = vectors[:2]

    def assert_bits(packed: hypervector.Packed, name: str) -> None:
        np.testing.assert_array_equal(hypervector.unpack(packed, dimension), golden[name], name)

    assert_bits(hypervector.bind(first, second), "bind_01")
    assert_bits(hypervector.inverse(second), "inverse_1")
    assert_bits(hypervector.permute(first, 3, dimension), "permute_0_by3")
    assert_bits(hypervector.bundle(vectors, dimension, vectors[0]), "multiset5")
    unbound = hypervector.bind(hypervector.bind(first, second), hypervector.inverse(second))
    assert hypervector.cosine_similarity(unbound, first, dimension) == golden["unbind_similarity"]
    for name, similarity in (
        ("hamming_0_all", hypervector.hamming_similarity),
        ("dot_0_all", hypervector.dot_similarity),
        ("cosine_0_all", hypervector.cosine_similarity),
    ):
        np.testing.assert_array_equal(similarity(vectors, first, dimension), golden[name], name)


@given(dimension=dimensions, seed=seeds)
def test_packing_keeps_every_bit_and_adds_none(dimension: int, seed: int) -> None:
    bits = np.random.default_rng(seed).integers(0, 2, size=(3, dimension), dtype=np.uint8)
    packed = hypervector.pack(bits)
    assert packed.shape == (3, hypervector.words(dimension))
    np.testing.assert_array_equal(hypervector.unpack(packed, dimension), bits)
    assert np.bitwise_count(packed).sum() == bits.sum()


@given(dimension=dimensions, seed=seeds)
def test_binding_is_undone_by_itself_and_keeps_distances(dimension: int, seed: int) -> None:
    a, b, key = hypervector.random(3, dimension, np.random.default_rng(seed))
    np.testing.assert_array_equal(hypervector.bind(hypervector.bind(a, key), key), a)
    bound = hypervector.distance(hypervector.bind(a, key), hypervector.bind(b, key))
    assert bound == hypervector.distance(a, b)


@given(dimension=dimensions, seed=seeds, shifts=st.integers(-500, 500))
def test_permuting_back_gives_the_vector(dimension: int, seed: int, shifts: int) -> None:
    (vector,) = hypervector.random(1, dimension, np.random.default_rng(seed))
    there = hypervector.permute(vector, shifts, dimension)
    np.testing.assert_array_equal(hypervector.permute(there, -shifts, dimension), vector)


def test_tied_bundle_takes_the_bits_it_is_given(rng: np.random.Generator) -> None:
    a, ties = hypervector.random(2, 100, rng)
    opposite = hypervector.bind(a, hypervector.pack(np.ones(100)))
    np.testing.assert_array_equal(hypervector.bundle(np.stack([a, opposite]), 100, ties), ties)


def test_bundle_is_nearer_to_its_parts_than_to_others(rng: np.random.Generator) -> None:
    vectors = hypervector.random(10, 2000, rng)
    whole = hypervector.bundle(vectors[:5], 2000, vectors[9])
    distances = hypervector.distance(vectors, whole)
    assert distances[:5].max() < 800 < distances[5:].min()


def test_random_hypervectors_repeat_with_their_seed_and_are_balanced() -> None:
    first, again = (hypervector.random(4, 1000, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert abs(np.bitwise_count(first).sum() / 4000 - 0.5) < 0.05


def test_sign_of_zero_is_positive() -> None:
    packed = hypervector.pack_signs(np.array([-1.0, 0.0, 2.0]))
    np.testing.assert_array_equal(hypervector.unpack(packed, 3), [0, 1, 1])


def test_dimension_below_one_is_refused() -> None:
    with pytest.raises(InstinctError, match="dimension: 0 is below 1"):
        hypervector.words(0)
