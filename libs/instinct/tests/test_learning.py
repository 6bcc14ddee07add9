from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from emily_instinct import bipolar, learning
from emily_instinct.errors import InstinctError
from emily_instinct.learning import Real, Targets

CLASSES = 4
DIMENSION = 64


@pytest.fixture
def examples(rng: np.random.Generator) -> tuple[Real, Targets]:
    """Signs of four noisy classes that share most of their mean and differ in number."""
    centres = rng.normal(size=(CLASSES, DIMENSION))
    targets = np.repeat(np.arange(CLASSES), [150, 20, 20, 20])
    readings = centres[targets] + 3.0 * centres[0] + rng.normal(0, 3.0, size=(len(targets), DIMENSION))
    return np.where(readings >= 0, 1.0, -1.0), targets


def _accuracy(prototypes: Real, examples: Real, targets: Targets) -> float:
    predicted = [int(np.argmax(bipolar.cosine_similarity(example, prototypes))) for example in examples]
    return float(np.mean(np.array(predicted) == targets))


def test_centroid_is_the_sum_of_a_class() -> None:
    examples = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    centroids = learning.centroid(examples, np.array([1, 0, 1]), 2)
    np.testing.assert_array_equal(centroids, [[3.0, 4.0], [6.0, 8.0]])


@pytest.mark.parametrize("targets", [[0, 0, 2], [0, 1, 3]])
def test_class_without_an_example_is_refused(targets: list[int]) -> None:
    with pytest.raises(InstinctError, match="targets"):
        learning.centroid(np.ones((3, 2)), np.array(targets), 3)


def test_online_learning_recognises_what_it_saw_once(rng: np.random.Generator) -> None:
    centres = bipolar.random(5, 512, rng)
    targets = np.tile(np.arange(5), 10)
    noisy = centres[targets] + rng.normal(0, 1.0, size=(50, 512))
    assert _accuracy(learning.online(noisy, targets, 5), noisy, targets) == 1.0


def test_adapting_mends_the_mistakes_of_the_centroid(
    examples: tuple[Real, Targets], rng: np.random.Generator
) -> None:
    start = learning.centroid(*examples, CLASSES)
    adapted = learning.adapt(start, *examples, epochs=10, rate=1.0, rng=rng)
    assert _accuracy(start, *examples) < 0.9 < _accuracy(adapted, *examples)


def test_packed_adapting_is_far_better_than_the_signs_of_the_centroid(
    examples: tuple[Real, Targets], rng: np.random.Generator
) -> None:
    start = learning.centroid(*examples, CLASSES)
    packed = learning.adapt_packed(start, *examples, epochs=20, margin=0.1, rng=rng)
    assert _accuracy(np.sign(start), *examples) < 0.7 < 0.85 < _accuracy(np.sign(packed), *examples)


Learner = Callable[[Real, Targets, np.random.Generator], Real]


@pytest.mark.parametrize(
    "learner",
    [
        lambda examples, targets, rng: learning.adapt(
            np.ones((CLASSES, DIMENSION)), examples, targets, epochs=2, rate=1.0, rng=rng
        ),
        lambda examples, targets, rng: learning.adapt_packed(
            np.ones((CLASSES, DIMENSION)), examples, targets, epochs=2, margin=0.1, rng=rng
        ),
    ],
)
def test_same_seed_gives_the_same_prototypes_bit_for_bit(
    learner: Learner, examples: tuple[Real, Targets]
) -> None:
    first, again = (learner(*examples, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
