"""Laws of comparing latencies at a quantile."""

from __future__ import annotations

import math

import numpy as np
import pytest
from emily_deployer.judging.latency import FACTOR, Latencies, log_evidence_of_slowness, steps_of
from hypothesis import given
from hypothesis import strategies as st

SECONDS = st.lists(st.floats(1e-4, 10), max_size=60)
SHARE = st.sampled_from([0.5, 0.9, 0.99])


def counted(seconds: list[float] | np.ndarray) -> Latencies:
    latencies = Latencies()
    if len(seconds):
        latencies.add(*seconds)
    return latencies


@given(SECONDS, SHARE)
def test_without_one_of_both_nothing_is_certain(seconds: list[float], share: float) -> None:
    seen, nothing = counted(seconds), Latencies()
    for pair in ((seen, nothing), (nothing, seen), (nothing, nothing)):
        assert log_evidence_of_slowness(*pair, share=share, ratio=1.2) <= math.log(20)


@given(SECONDS, SHARE)
def test_a_stream_is_never_slower_than_itself(seconds: list[float], share: float) -> None:
    assert log_evidence_of_slowness(counted(seconds), counted(seconds), share=share, ratio=1.0) <= 1e-9


@given(SECONDS, SECONDS, SHARE)
def test_a_larger_ratio_never_has_more_evidence(slow: list[float], fast: list[float], share: float) -> None:
    found = [
        log_evidence_of_slowness(counted(slow), counted(fast), share=share, ratio=ratio)
        for ratio in (1 / 1.5, 1.0, 1.2, 1.5, 3.0)
    ]
    assert (np.diff(found) <= 1e-9).all()


@given(st.lists(st.floats(1e-3, 1), min_size=1, max_size=60), st.floats(0.01, 1))
def test_a_quantile_is_known_to_a_bucket(seconds: list[float], share: float) -> None:
    exact = sorted(seconds)[math.ceil(share * len(seconds)) - 1]
    assert exact * (1 - 1e-9) <= counted(seconds).quantile(share) <= exact * FACTOR * (1 + 1e-9)


def test_ratios_become_buckets() -> None:
    assert steps_of(FACTOR**7) == 7
    assert steps_of(FACTOR**-7) == -7
    assert steps_of(1.0) == 0


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_twice_as_slow_is_found_and_equally_fast_is_not(share: float) -> None:
    rng = np.random.default_rng(2)
    fast = rng.lognormal(-5, 0.3, 4000)
    same, slow = rng.lognormal(-5, 0.3, 4000), 2 * rng.lognormal(-5, 0.3, 4000)
    needed = math.log(1000)
    assert log_evidence_of_slowness(counted(slow), counted(fast), share=share, ratio=1.2) >= needed
    assert log_evidence_of_slowness(counted(same), counted(fast), share=share, ratio=1.2) < 0
    assert log_evidence_of_slowness(counted(fast), counted(same), share=share, ratio=1 / 1.5) >= needed
