from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest
from emily_memory.embedding import EmbedderDown, HashingEmbedder
from emily_memory.embedding.breaker import Breaker, Circuit
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray


class Server:
    """An embedder that works or not, and counts who asks."""

    space = HashingEmbedder.space

    def __init__(self) -> None:
        self.works = True
        self.calls = 0

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.calls += 1
        if not self.works:
            raise EmbedderDown("server: status 503")
        return HashingEmbedder().embed(texts)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self.embed([text])[0]
        return vector


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(server: Server, clock: Clock) -> Breaker:
    return Breaker(server, Circuit(pause_s=2.0, longest_pause_s=5.0), clock)


def fail(breaker: Breaker) -> None:
    with pytest.raises(EmbedderDown):
        breaker.embed(["a"])


def test_vectors_pass_through(breaker: Breaker) -> None:
    assert np.array_equal(breaker.embed(["a", "b"]), HashingEmbedder().embed(["a", "b"]))
    assert np.array_equal(breaker.embed_query("a"), HashingEmbedder().embed_query("a"))
    assert breaker.space == HashingEmbedder.space


def test_one_that_is_down_is_not_asked_during_the_pause(
    breaker: Breaker, server: Server, clock: Clock
) -> None:
    server.works = False
    fail(breaker)
    clock.now += 1.5
    with pytest.raises(EmbedderDown, match=r"^server: status 503; tried again in 0\.5 s$"):
        breaker.embed_query("a")
    assert server.calls == 1


def test_one_call_after_the_pause_closes_it(breaker: Breaker, server: Server, clock: Clock) -> None:
    server.works = False
    fail(breaker)
    server.works = True
    clock.now += 2
    breaker.embed_query("a")
    breaker.embed_query("a")
    assert server.calls == 3


def test_pauses_double_up_to_the_longest(breaker: Breaker, server: Server, clock: Clock) -> None:
    server.works = False
    for pause in (2, 4, 5, 5):
        fail(breaker)
        calls = server.calls
        clock.now += pause - 0.01
        fail(breaker)
        assert server.calls == calls
        clock.now += 0.01


def test_only_one_call_tries_while_the_others_are_told(server: Server, clock: Clock) -> None:
    asked, answer = threading.Event(), threading.Event()

    class Slow(Server):
        def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
            asked.set()
            assert answer.wait(10)
            return super().embed(texts)

    slow = Slow()
    slow.works = False
    breaker = Breaker(slow, Circuit(pause_s=2.0), clock)
    answer.set()
    fail(breaker)
    answer.clear()
    asked.clear()
    clock.now += 2
    slow.works = True
    trial = threading.Thread(target=breaker.embed, args=(["a"],))
    trial.start()
    assert asked.wait(10)
    fail(breaker)
    answer.set()
    trial.join(10)
    breaker.embed(["a"])
    assert slow.calls == 3


@given(failures=st.integers(1, 5000), now=st.floats(0, 1e9))
def test_a_circuit_stays_open_for_a_bounded_while_only(failures: int, now: float) -> None:
    circuit = Circuit(failures=failures).failed("x", now)
    assert not circuit.admits(now)
    assert circuit.admits(now + circuit.longest_pause_s)
    assert circuit.succeeded().admits(now)
