from __future__ import annotations

import numpy as np
import pytest
from emily_instinct import hypervector
from emily_instinct.errors import InstinctError
from emily_instinct.item_memory import ItemMemory

DIMENSION = 2048


@pytest.fixture
def memory(rng: np.random.Generator) -> ItemMemory:
    items = hypervector.random(50, DIMENSION, rng)
    return ItemMemory(labels=tuple(map(str, range(50))), items=items, dimension=DIMENSION)


def test_noisy_item_is_cleaned_up_and_recognised(memory: ItemMemory, rng: np.random.Generator) -> None:
    noise = hypervector.pack(rng.uniform(size=DIMENSION) < 0.3)
    noisy = hypervector.bind(memory.items[17], noise)
    np.testing.assert_array_equal(memory.cleanup(noisy), memory.items[17])
    match = memory.match(noisy)
    assert match.label == "17"
    assert match.similarity == pytest.approx(0.7, abs=0.05)
    assert match.novelty == 1 - match.similarity
    assert match.margin > 0.1


def test_unknown_hypervector_is_novel(memory: ItemMemory, rng: np.random.Generator) -> None:
    (stranger,) = hypervector.random(1, DIMENSION, rng)
    match = memory.match(stranger)
    assert match.novelty > 0.4
    assert match.margin < 0.1


def test_margin_is_taken_to_the_next_name_not_the_next_item(rng: np.random.Generator) -> None:
    a, b = hypervector.random(2, DIMENSION, rng)
    memory = ItemMemory(labels=("a", "a", "b"), items=np.stack([a, a, b]), dimension=DIMENSION)
    assert memory.match(a).margin == pytest.approx(1 - memory.similarities(a)[2])


def test_only_name_has_its_whole_similarity_as_margin(rng: np.random.Generator) -> None:
    items = hypervector.random(1, DIMENSION, rng)
    assert ItemMemory(labels=("a",), items=items, dimension=DIMENSION).match(items[0]).margin == 1.0


def test_cleaned_up_item_is_a_copy(memory: ItemMemory) -> None:
    memory.cleanup(memory.items[3])[:] = 0
    assert memory.match(memory.items[3]).similarity == 1.0


def test_memory_that_does_not_fit_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(InstinctError, match="items: shape"):
        ItemMemory(labels=("a",), items=hypervector.random(2, 64, rng), dimension=64)
    with pytest.raises(InstinctError, match="labels"):
        ItemMemory(labels=(), items=hypervector.random(0, 64, rng), dimension=64)
