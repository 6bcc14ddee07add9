"""An embedder that is down is left alone for a while, so that nobody waits for its deadline each time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from emily_memory.embedding.embedder import Embedder
from emily_memory.embedding.errors import EmbedderDown
from emily_memory.embedding.space import Space


class Circuit(msgspec.Struct, frozen=True, kw_only=True):
    """Whether calls go through. Times are seconds of one monotonic clock.

    Attributes:
        pause_s: After the first failure; doubled for each further one.
        longest_pause_s: At most.
        failures: In a row; none while calls go through.
        retry_at: When one call may try again.
        cause: Of the last failure.
    """

    pause_s: float = 1.0
    longest_pause_s: float = 60.0
    failures: int = 0
    retry_at: float = 0.0
    cause: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the last call failed."""
        return self.failures > 0

    def admits(self, now: float) -> bool:
        """Whether a call may go through."""
        return not self.is_open or now >= self.retry_at

    def trying(self, now: float) -> Circuit:
        """After a call was let through: while it is open, the only one until another pause is over."""
        return msgspec.structs.replace(self, retry_at=now + self._pause_s(self.failures))

    def failed(self, cause: str, now: float) -> Circuit:
        """After a failure."""
        failures = self.failures + 1
        retry_at = now + self._pause_s(failures)
        return msgspec.structs.replace(self, failures=failures, retry_at=retry_at, cause=cause)

    def succeeded(self) -> Circuit:
        """After a success: closed."""
        return msgspec.structs.replace(self, failures=0, retry_at=0.0, cause="")

    def _pause_s(self, failures: int) -> float:
        return min(self.pause_s * 2.0 ** min(max(failures - 1, 0), 63), self.longest_pause_s)


class Breaker:
    """An embedder behind a circuit.

    Args:
        embedder: What is called.
        circuit: Where to begin: the pauses.
        clock: Seconds, monotonic.
    """

    def __init__(
        self, embedder: Embedder, circuit: Circuit | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._embedder = embedder
        self._circuit = circuit or Circuit()
        self._clock = clock
        self._mutex = threading.Lock()

    @property
    def space(self) -> Space:
        """The embedder's own."""
        return self._embedder.space

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The embedder's own.

        Raises:
            EmbedderDown: It is down, or was a moment ago; then it is not asked.
        """
        return self._through(lambda: self._embedder.embed(texts))

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The embedder's own.

        Raises:
            EmbedderDown: As of `embed`.
        """
        return self._through(lambda: self._embedder.embed_query(text))

    def _through(self, call: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
        self._enter()
        try:
            vectors = call()
        except EmbedderDown as error:
            with self._mutex:
                self._circuit = self._circuit.failed(str(error), self._clock())
            raise
        with self._mutex:
            self._circuit = self._circuit.succeeded()
        return vectors

    def _enter(self) -> None:
        with self._mutex:
            now, circuit = self._clock(), self._circuit
            if not circuit.admits(now):
                raise EmbedderDown(f"{circuit.cause}; tried again in {circuit.retry_at - now:.1f} s")
            if circuit.is_open:
                self._circuit = circuit.trying(now)
