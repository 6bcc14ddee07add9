from __future__ import annotations

import numpy as np
import pytest
from emily_instinct import archive, hypervector
from emily_instinct.classifier import Classifier, train
from emily_instinct.encoders import FourierEncoder, RecordEncoder
from emily_instinct.errors import InstinctError
from emily_instinct.item_memory import ItemMemory
from numpy.typing import NDArray

LABELS = ("low", "high", "odd")


def _readings(rng: np.random.Generator) -> tuple[NDArray[np.float64], list[str]]:
    centres = np.array([[2.0] * 8, [13.0] * 8, [2.0, 13.0] * 4])
    targets = np.repeat(np.arange(3), 30)
    return centres[targets] + rng.normal(0, 2.0, size=(90, 8)), [LABELS[target] for target in targets]


def _fourier(rng: np.random.Generator) -> FourierEncoder:
    return FourierEncoder.create(inputs=8, dimension=1000, bandwidth=10.0, rng=rng)


def _record(rng: np.random.Generator) -> RecordEncoder:
    return RecordEncoder.create(fields=8, levels=17, low=0, high=16, dimension=1000, rng=rng)


@pytest.fixture
def fourier(rng: np.random.Generator) -> Classifier[FourierEncoder]:
    return train(_fourier(rng), *_readings(rng), rng=rng, epochs=5)


@pytest.fixture
def record(rng: np.random.Generator) -> Classifier[RecordEncoder]:
    return train(_record(rng), *_readings(rng), rng=rng, epochs=5)


def test_readings_like_those_learned_are_recognised(
    fourier: Classifier[FourierEncoder], record: Classifier[RecordEncoder]
) -> None:
    readings, labels = _readings(np.random.default_rng(99))
    assert [fourier.classify(reading).label for reading in readings] == labels
    assert [record.classify(reading).label for reading in readings] == labels


def test_partial_record_is_recognised_with_less_similarity(record: Classifier[RecordEncoder]) -> None:
    some = record.encoder.encode_some(np.array([0, 3, 4]), np.full(3, 13.0))
    match = record.memory.match(hypervector.pack_signs(some))
    assert match.label == "high"
    assert match.similarity < record.classify(np.full(8, 13.0)).similarity


def test_file_gives_back_the_same_classifier(fourier: Classifier[FourierEncoder]) -> None:
    data = fourier.to_bytes()
    restored = Classifier.from_bytes(data, FourierEncoder)
    assert restored.to_bytes() == data
    for reading in _readings(np.random.default_rng(99))[0]:
        assert restored.classify(reading) == fourier.classify(reading)


def test_same_seed_gives_the_same_file() -> None:
    def digest(seed: int) -> str:
        rng = np.random.default_rng(seed)
        return archive.digest(train(_record(rng), *_readings(rng), rng=rng, epochs=2).to_bytes())

    assert digest(5) == digest(5)
    assert digest(5) != digest(6)


def test_file_of_another_encoder_is_refused(record: Classifier[RecordEncoder]) -> None:
    with pytest.raises(InstinctError, match=r"\(1, 'RecordEncoder'\), not \(1, 'FourierEncoder'\)"):
        Classifier.from_bytes(record.to_bytes(), FourierEncoder)


def test_memory_of_another_dimension_is_refused(
    fourier: Classifier[FourierEncoder], rng: np.random.Generator
) -> None:
    other = ItemMemory(labels=("a",), items=hypervector.random(1, 64, rng), dimension=64)
    with pytest.raises(InstinctError, match="dimension 64, but the encoder's is 1000"):
        Classifier(encoder=fourier.encoder, memory=other)


@pytest.mark.parametrize("missing", ["items", "encoder.weights"])
def test_incomplete_file_is_refused(missing: str, fourier: Classifier[FourierEncoder]) -> None:
    header, arrays = archive.unpack(fourier.to_bytes())
    del arrays[missing]
    with pytest.raises(InstinctError, match="incomplete"):
        Classifier.from_bytes(archive.pack(header, arrays), FourierEncoder)
