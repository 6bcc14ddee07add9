"""Binary hypervectors, 64 dimensions to a word (binary spatter code; Kanerva 2009).

A packed hypervector of `dimension` bits is `(words,)` uint64 with words = ceil(dimension / 64); bit i of the
vector is bit i % 64 of word i // 64, and the bits beyond the dimension are zero. Every function takes a
stack `(..., words)` too. The other kinds, `bipolar`, `holographic` and `phasor`, speak the same verbs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emily_instinct.errors import InstinctError

Packed = NDArray[np.uint64]
Bits = NDArray[np.uint8]
WORD = 64


def words(dimension: int) -> int:
    """How many words hold a hypervector.

    Raises:
        InstinctError: The dimension is below 1.
    """
    if dimension < 1:
        raise InstinctError(f"dimension: {dimension} is below 1")
    return -(-dimension // WORD)


def pack(bits: ArrayLike) -> Packed:
    """`(..., D)` zeros and ones -> `(..., words)`."""
    array = np.asarray(bits)
    dimension = array.shape[-1]
    padded = np.zeros((*array.shape[:-1], words(dimension) * WORD), dtype=np.uint8)
    padded[..., :dimension] = array != 0
    packed = np.packbits(padded, axis=-1, bitorder="little")
    return packed.view("<u8").astype(np.uint64, copy=False)


def pack_signs(vector: NDArray[np.float64] | NDArray[np.int64]) -> Packed:
    """`(..., D)` real numbers -> the packed form of their signs; 0 counts as positive."""
    return pack(vector >= 0)


def unpack(packed: Packed, dimension: int) -> Bits:
    """`(..., words)` -> `(..., D)` zeros and ones."""
    octets = np.ascontiguousarray(packed).astype("<u8", copy=False).view(np.uint8)
    return np.unpackbits(octets, axis=-1, bitorder="little")[..., :dimension]


def random(count: int, dimension: int, rng: np.random.Generator) -> Packed:
    """`(count, words)` independent, uniformly drawn hypervectors."""
    drawn = rng.integers(0, 1 << WORD, size=(count, words(dimension)), dtype=np.uint64)
    return drawn & pack(np.ones(dimension))


def bind(first: Packed, second: Packed) -> Packed:
    """Exclusive or: associates; its own inverse; unlike both inputs."""
    return first ^ second


def inverse(packed: Packed) -> Packed:
    """The hypervector that undoes a binding with it: itself."""
    return packed.copy()


def permute(packed: Packed, shifts: int, dimension: int) -> Packed:
    """Rotate by `shifts` places towards higher indices: marks a position in a sequence."""
    return pack(np.roll(unpack(packed, dimension), shifts, axis=-1))


def bundle(stack: Packed, dimension: int, ties: Packed) -> Packed:
    """Bitwise majority of `(n, words)`: similar to each of them. A tie takes the bit of `ties`."""
    doubled = 2 * unpack(stack, dimension).sum(axis=0, dtype=np.int64)
    return pack(np.where(doubled == len(stack), unpack(ties, dimension), doubled > len(stack)))


def distance(first: Packed, second: Packed) -> NDArray[np.int64]:
    """Hamming distance: how many of the dimensions differ."""
    differing = np.bitwise_count(first ^ second)
    return np.asarray(differing.sum(axis=-1, dtype=np.uint32), dtype=np.int64)


def hamming_similarity(first: Packed, second: Packed, dimension: int) -> NDArray[np.int64]:
    """How many of the dimensions are equal."""
    return dimension - distance(first, second)


def dot_similarity(first: Packed, second: Packed, dimension: int) -> NDArray[np.int64]:
    """Dot product of the vectors read as +1 and -1."""
    return dimension - 2 * distance(first, second)


def cosine_similarity(first: Packed, second: Packed, dimension: int) -> NDArray[np.float64]:
    """Cosine of the vectors read as +1 and -1, in [-1, 1]."""
    return dot_similarity(first, second, dimension) / dimension
