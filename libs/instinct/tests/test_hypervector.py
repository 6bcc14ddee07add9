"""Laws of packed hypervectors."""

import numpy as np
import pytest
from emily_instinct import basis, holographic, hypervector
from emily_instinct.errors import InstinctError
from hypothesis import given
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**32 - 1)
DIMENSIONS = st.integers(1, 300)


def _pair(seed: int, dimension: int) -> hypervector.Packed:
    return hypervector.random(3, dimension, np.random.default_rng(seed))


@given(SEEDS, DIMENSIONS)
def test_packing_loses_nothing_and_leaves_the_padding_zero(seed: int, dimension: int) -> None:
    bits = np.random.default_rng(seed).integers(0, 2, size=(4, dimension))
    packed = hypervector.pack(bits)
    np.testing.assert_array_equal(hypervector.unpack(packed, dimension), bits)
    assert int(np.bitwise_count(packed).sum()) == int(bits.sum())


@given(SEEDS, DIMENSIONS)
def test_binding_is_undone_by_its_inverse_and_keeps_distances(seed: int, dimension: int) -> None:
    a, b, c = _pair(seed, dimension)
    np.testing.assert_array_equal(hypervector.bind(hypervector.bind(a, b), hypervector.inverse(b)), a)
    assert hypervector.distance(hypervector.bind(a, c), hypervector.bind(b, c)) == hypervector.distance(a, b)


@given(SEEDS, DIMENSIONS, st.integers(-500, 500))
def test_permutation_is_undone_and_keeps_distances(seed: int, dimension: int, shifts: int) -> None:
    a, b, _ = _pair(seed, dimension)
    there = hypervector.permute(a, shifts, dimension)
    np.testing.assert_array_equal(hypervector.permute(there, -shifts, dimension), a)
    assert hypervector.distance(there, hypervector.permute(b, shifts, dimension)) == hypervector.distance(
        a, b
    )


@given(SEEDS, DIMENSIONS)
def test_distance_is_a_metric(seed: int, dimension: int) -> None:
    a, b, c = _pair(seed, dimension)
    assert hypervector.distance(a, a) == 0
    assert hypervector.distance(a, b) == hypervector.distance(b, a)
    assert hypervector.distance(a, c) <= hypervector.distance(a, b) + hypervector.distance(b, c)


def test_a_bundle_is_like_its_parts_and_a_tie_takes_the_given_bit(rng: np.random.Generator) -> None:
    parts = hypervector.random(5, 10_000, rng)
    whole = hypervector.bundle(parts, 10_000, parts[0])
    stranger = hypervector.random(1, 10_000, rng)[0]
    assert (hypervector.distance(parts, whole) < 4000).all()
    assert abs(int(hypervector.distance(stranger, whole)) - 5000) < 300
    two = parts[:2]
    tied = hypervector.bundle(two, 10_000, parts[2])
    differ = hypervector.bind(two[0], two[1])
    np.testing.assert_array_equal(tied & differ, parts[2] & differ)


def test_random_hypervectors_are_half_apart(rng: np.random.Generator) -> None:
    a = hypervector.random(20, 10_000, rng)
    apart = [int(hypervector.distance(a[i], a[j])) for i in range(20) for j in range(i)]
    assert all(abs(distance - 5000) < 300 for distance in apart)


def test_levels_grow_apart_evenly(rng: np.random.Generator) -> None:
    levels = basis.level(11, 10_000, rng)
    apart = hypervector.distance(levels[0], levels)
    assert (np.diff(apart) > 0).all()
    assert abs(int(apart[-1]) - 5000) < 300
    assert np.abs(np.diff(apart) - 500).max() < 150


def test_thermometers_end_opposite() -> None:
    levels = basis.thermometer(5, 1000)
    np.testing.assert_array_equal(hypervector.distance(levels[0], levels), [0, 250, 500, 750, 1000])


def test_circles_close(rng: np.random.Generator) -> None:
    circle = basis.circular(12, 10_000, rng)
    apart = hypervector.distance(circle[0], circle)
    assert np.argmax(apart) == 6
    assert abs(int(apart[1]) - int(apart[11])) < 250
    assert abs(int(apart[6]) - 5000) < 300


def test_plate_unbinding_finds_the_partner_among_strangers(rng: np.random.Generator) -> None:
    v = holographic.random(20, 2048, rng)
    unbound = holographic.bind(holographic.bind(v[0], v[1]), holographic.inverse(v[1]))
    assert int(np.argmax(holographic.cosine_similarity(unbound, v))) == 0
    p = holographic.random_phasors(3, 256, rng)
    exact = holographic.bind_phasors(holographic.bind_phasors(p[0], p[1]), holographic.inverse_phasor(p[1]))
    np.testing.assert_allclose(exact, p[0])


@pytest.mark.parametrize("bad", [0, -1])
def test_a_dimension_below_one_is_refused(bad: int) -> None:
    with pytest.raises(InstinctError, match="dimension"):
        hypervector.words(bad)
    with pytest.raises(InstinctError, match="count"):
        basis.thermometer(bad, 10)
