"""Encoders keep likeness, learners recognise, memories clean up and travel."""

import numpy as np
import pytest
from emily_instinct import archive, hypervector, learning
from emily_instinct.encoders import FourierEncoder, NgramEncoder, RecordEncoder, binarise
from emily_instinct.errors import InstinctError
from emily_instinct.item_memory import ItemMemory
from hypothesis import given
from hypothesis import strategies as st

DIMENSION = 2048
Data = tuple[
    np.ndarray[tuple[int, ...], np.dtype[np.float64]], np.ndarray[tuple[int, ...], np.dtype[np.int64]]
]


@pytest.fixture
def blobs(rng: np.random.Generator) -> Data:
    """Three noisy clusters in eight readings."""
    centres = rng.uniform(0, 16, size=(3, 8))
    targets = np.repeat(np.arange(3), 40)
    return centres[targets] + rng.normal(0, 1.5, size=(120, 8)), targets.astype(np.int64)


def _record(rng: np.random.Generator) -> RecordEncoder:
    return RecordEncoder.create(fields=8, levels=17, low=0, high=16, dimension=DIMENSION, rng=rng)


def test_every_learner_recognises_what_it_saw(blobs: Data, rng: np.random.Generator) -> None:
    readings, targets = blobs
    examples = _record(rng).encode(readings).astype(np.float64)
    start = learning.centroid(examples, targets, 3)
    signs = np.where(examples >= 0, 1.0, -1.0)
    learned = {
        "centroid": start,
        "online": learning.online(examples, targets, 3),
        "adapt": learning.adapt(start, examples, targets, epochs=3, rate=1.0, rng=rng),
        "packed": learning.adapt_packed(start, signs, targets, epochs=5, margin=0.05, rng=rng),
    }
    for name, prototypes in learned.items():
        memory = learning.memory(prototypes, ("a", "b", "c"))
        recognised = [memory.match(binarise(example)).label for example in examples]
        accuracy = np.mean(
            [label == "abc"[target] for label, target in zip(recognised, targets, strict=True)]
        )
        assert accuracy > 0.9, name


def test_adapting_mends_mistakes_of_the_centroid(rng: np.random.Generator) -> None:
    centres = rng.normal(size=(4, DIMENSION))
    targets = np.repeat(np.arange(4), [200, 10, 10, 10]).astype(np.int64)
    examples = centres[targets] + rng.normal(0, 4.0, size=(230, DIMENSION)) + 0.8 * centres[0]
    start = learning.centroid(examples, targets, 4)

    def right(prototypes: learning.Real) -> float:
        memory = learning.memory(prototypes, ("0", "1", "2", "3"))
        return float(
            np.mean(
                [memory.match(binarise(e)).label == str(t) for e, t in zip(examples, targets, strict=True)]
            )
        )

    signs = np.where(examples >= 0, 1.0, -1.0)
    assert right(learning.adapt_packed(start, signs, targets, epochs=10, margin=0.02, rng=rng)) >= right(
        start
    )
    assert right(learning.adapt(start, examples, targets, epochs=5, rate=1.0, rng=rng)) >= right(start)


def test_training_is_the_same_for_the_same_seed(blobs: Data) -> None:
    readings, targets = blobs

    def train() -> learning.Real:
        rng = np.random.default_rng(3)
        signs = np.where(_record(rng).encode(readings) >= 0, 1.0, -1.0)
        start = learning.centroid(signs, targets, 3)
        return learning.adapt_packed(start, signs, targets, epochs=3, margin=0.1, rng=rng)

    np.testing.assert_array_equal(train(), train())


def test_a_part_of_a_record_sums_to_the_whole(rng: np.random.Generator) -> None:
    encoder = _record(rng)
    readings = rng.uniform(0, 16, size=8)
    first = encoder.accumulate(np.arange(5), readings[:5])
    rest = encoder.accumulate(np.arange(5, 8), readings[5:])
    np.testing.assert_array_equal(first + rest, encoder.encode(readings))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_readings_beyond_the_range_count_as_its_ends(reading: float) -> None:
    level = _record(np.random.default_rng(0)).quantise(np.array([reading]))[0]
    assert level == round(min(16.0, max(0.0, reading)))


def test_near_readings_are_alike_and_far_ones_are_not(rng: np.random.Generator) -> None:
    encoder = FourierEncoder.create(inputs=4, dimension=DIMENSION, bandwidth=1.0, rng=rng)
    origin, near, far = encoder.encode(np.array([[0, 0, 0, 0], [0.1, 0, 0, 0], [9, 9, 9, 9.0]]))
    likeness = [hypervector.cosine_similarity(binarise(origin), binarise(x), DIMENSION) for x in (near, far)]
    assert likeness[0] > 0.8
    assert abs(likeness[1]) < 0.15


def test_texts_with_like_ngrams_are_alike(rng: np.random.Generator) -> None:
    encoder = NgramEncoder.create(dimension=DIMENSION, n=3, rng=rng)
    memory = learning.memory(
        np.stack(
            [
                encoder.encode("the cat sat on the mat with the hat"),
                encoder.encode("zwölf Boxkämpfer jagen Viktor"),
            ]
        ),
        ("english", "german"),
    )
    assert memory.match(binarise(encoder.encode("the cat and the hat"))).label == "english"
    assert len(encoder.encode("a")) == DIMENSION


def test_a_memory_cleans_up_noise_and_knows_what_is_new(rng: np.random.Generator) -> None:
    items = hypervector.random(50, DIMENSION, rng)
    memory = ItemMemory(labels=tuple(map(str, range(50))), items=items, dimension=DIMENSION)
    noise = hypervector.pack(rng.uniform(size=DIMENSION) < 0.3)
    noisy = hypervector.bind(items[17], noise)
    np.testing.assert_array_equal(memory.cleanup(noisy), items[17])
    match = memory.match(noisy)
    assert match.label == "17"
    assert match.novelty == pytest.approx(1 - match.similarity)
    assert match.margin > 0.1
    assert memory.match(hypervector.random(1, DIMENSION, rng)[0]).novelty > 0.4


def test_a_match_by_some_dimensions_ignores_the_others(rng: np.random.Generator) -> None:
    items = hypervector.random(2, DIMENSION, rng)
    memory = ItemMemory(labels=("a", "b"), items=items, dimension=DIMENSION)
    known = hypervector.pack(np.arange(DIMENSION) < 200)
    query = (items[0] & known) | (items[1] & ~known)
    assert memory.match(query).label == "b"
    assert memory.match_some(query, known).label == "a"
    assert memory.match_some(query, known).similarity == 1.0


def test_a_model_travels_as_an_archive_of_equal_bytes(rng: np.random.Generator) -> None:
    arrays = {"items": hypervector.random(3, 100, rng), "scale": rng.normal(size=4)}
    data = archive.pack({"kind": "test", "seed": 3}, arrays)
    header, restored = archive.unpack(data)
    assert header == {"kind": "test", "seed": 3}
    assert all((restored[name] == arrays[name]).all() for name in arrays)
    assert archive.pack(header, dict(reversed(restored.items()))) == data
    assert len(archive.digest(data)) == 16


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_torn_archive_is_refused(damage: bytes | None) -> None:
    whole = archive.pack({}, {"a": np.arange(1000)})
    with pytest.raises(InstinctError, match="train it again"):
        archive.unpack(whole[: len(whole) // 2] if damage is None else damage)


def test_what_does_not_fit_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(InstinctError, match="high"):
        RecordEncoder.create(fields=1, levels=2, low=1, high=1, dimension=8, rng=rng)
    with pytest.raises(InstinctError, match="bandwidth"):
        FourierEncoder.create(inputs=1, dimension=8, bandwidth=0, rng=rng)
    with pytest.raises(InstinctError, match="n:"):
        NgramEncoder.create(dimension=8, n=0, rng=rng)
    with pytest.raises(InstinctError, match="text"):
        NgramEncoder.create(dimension=8, n=2, rng=rng).encode("")
    with pytest.raises(InstinctError, match="readings"):
        _record(rng).encode(np.full(8, np.nan))
    with pytest.raises(InstinctError, match="targets"):
        learning.centroid(np.ones((2, 4)), np.array([0, 0]), 2)
    with pytest.raises(InstinctError, match="items"):
        ItemMemory(labels=("a",), items=hypervector.random(2, 64, rng), dimension=64)
    with pytest.raises(InstinctError, match="labels"):
        ItemMemory(labels=(), items=hypervector.random(0, 64, rng), dimension=64)
    with pytest.raises(InstinctError, match="known"):
        ItemMemory(labels=("a",), items=hypervector.random(1, 64, rng), dimension=64).match_some(
            hypervector.random(1, 64, rng)[0], np.zeros(1, dtype=np.uint64)
        )
