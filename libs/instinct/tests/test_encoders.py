from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from emily_instinct import bipolar
from emily_instinct.encoders import FourierEncoder, NgramEncoder, RecordEncoder
from emily_instinct.errors import InstinctError
from hypothesis import given
from hypothesis import strategies as st

DIMENSION = 4096


@pytest.fixture
def record(rng: np.random.Generator) -> RecordEncoder:
    return RecordEncoder.create(fields=8, levels=17, low=0, high=16, dimension=DIMENSION, rng=rng)


RECORD = RecordEncoder.create(fields=2, levels=17, low=0, high=16, dimension=64, rng=np.random.default_rng(1))


def test_parts_of_a_record_sum_to_the_whole(record: RecordEncoder, rng: np.random.Generator) -> None:
    readings = rng.uniform(0, 16, size=8)
    parts = [record.encode_some(np.arange(*part), readings[slice(*part)]) for part in ((0, 5), (5, 8))]
    np.testing.assert_array_equal(parts[0] + parts[1], record.encode(readings))


@pytest.mark.parametrize("fields", [127, 128, 129, 300])
def test_a_sum_of_equal_hypervectors_overflows_for_no_number_of_fields(fields: int) -> None:
    one = RECORD.keys[:1]
    same = RecordEncoder(
        keys=np.repeat(one, fields, axis=0), scale=RECORD.scale, dimension=64, low=0, high=16
    )
    total = same.encode_some(np.arange(fields), np.zeros(fields))
    assert set(np.abs(total)) == {fields}


def test_stack_of_records_is_encoded_one_by_one(record: RecordEncoder, rng: np.random.Generator) -> None:
    stack = rng.uniform(0, 16, size=(3, 8))
    np.testing.assert_array_equal(record.encode(stack), [record.encode(readings) for readings in stack])


def test_record_is_like_one_of_near_readings(record: RecordEncoder) -> None:
    readings = np.full(8, 8.0)
    others = record.encode(np.array([readings + 1, readings + 7]))
    near, far = bipolar.cosine_similarity(record.encode(readings), others)
    assert near > 0.85 > 0.7 > far


@given(reading=st.floats(allow_nan=False, allow_infinity=False))
def test_reading_beyond_the_range_counts_as_its_end(reading: float) -> None:
    held = min(16.0, max(0.0, reading))
    np.testing.assert_array_equal(RECORD.encode(np.full(2, reading)), RECORD.encode(np.full(2, held)))


@pytest.mark.parametrize("distance", [0.0, 0.5, 1.0, 2.0])
def test_fourier_features_follow_the_gaussian_kernel(distance: float, rng: np.random.Generator) -> None:
    encoder = FourierEncoder.create(inputs=3, dimension=20_000, bandwidth=1.0, rng=rng)
    origin, other = encoder.encode(np.array([[0.0, 0.0, 0.0], [0.0, distance, 0.0]]))
    likeness = bipolar.cosine_similarity(origin, other)
    assert likeness == pytest.approx(math.exp(-(distance**2) / 2), abs=0.02)


def test_texts_with_like_windows_are_alike(rng: np.random.Generator) -> None:
    encoder = NgramEncoder.create(dimension=DIMENSION, n=3, rng=rng)
    known = np.stack([encoder.encode("the cat sat on the mat"), encoder.encode("zwölf Boxkämpfer jagen")])
    english, german = bipolar.cosine_similarity(encoder.encode("the cat on the hat"), known)
    assert english > 0.5 > 0.1 > abs(german)


def test_text_shorter_than_a_window_is_one_window(rng: np.random.Generator) -> None:
    encoder = NgramEncoder.create(dimension=64, n=3, rng=rng)
    np.testing.assert_array_equal(np.abs(encoder.encode("ab")), np.ones(64))


@pytest.mark.parametrize("reading", [math.nan, math.inf])
def test_readings_must_be_finite(reading: float, record: RecordEncoder, rng: np.random.Generator) -> None:
    fourier = FourierEncoder.create(inputs=8, dimension=64, bandwidth=1.0, rng=rng)
    for encode in (record.encode, fourier.encode):
        with pytest.raises(InstinctError, match="readings"):
            encode(np.full(8, reading))


def test_missing_reading_is_refused(record: RecordEncoder, rng: np.random.Generator) -> None:
    fourier = FourierEncoder.create(inputs=8, dimension=64, bandwidth=1.0, rng=rng)
    for encode in (record.encode, fourier.encode):
        with pytest.raises(InstinctError, match="readings: 7 given, the encoder has 8 fields"):
            encode(np.zeros(7))


def test_encoder_that_makes_no_sense_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(InstinctError, match="high: 1 is not above low 1"):
        RecordEncoder.create(fields=1, levels=2, low=1, high=1, dimension=8, rng=rng)
    with pytest.raises(InstinctError, match="keys, scale"):
        replace(RECORD, dimension=65)
    with pytest.raises(InstinctError, match="phases"):
        FourierEncoder(weights=np.zeros((2, 3)), phases=np.zeros(4))
    with pytest.raises(InstinctError, match="bandwidth"):
        FourierEncoder.create(inputs=1, dimension=8, bandwidth=0, rng=rng)
    with pytest.raises(InstinctError, match="n: 0"):
        NgramEncoder.create(dimension=8, n=0, rng=rng)
    with pytest.raises(InstinctError, match="text"):
        NgramEncoder.create(dimension=8, n=2, rng=rng).encode("")
