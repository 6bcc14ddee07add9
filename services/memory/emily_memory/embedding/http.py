"""Vectors from an OpenAI-compatible server, of one's own or hosted."""

from __future__ import annotations

import time
import weakref
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import batched, count

import httpx
import msgspec
import numpy as np
from emily_runtime.secrets import SecretUnavailable
from numpy.typing import NDArray

from emily_memory.embedding.endpoint import Endpoint
from emily_memory.embedding.errors import EmbedderDown, EmbedderUnusable
from emily_memory.embedding.reading import readable
from emily_memory.embedding.vectors import unit_rows

BACKOFF_S = 0.1
"""Pause before the second attempt when the server names none; doubled for each further one."""
_BYTES_PER_NUMBER = 32
_OTHER_BYTES = 65_536
_HINTS = {
    400: "the server refuses the request; check embedder_model",
    401: "the server wants another key; check embedder_key_secret or embedder_key_file",
    403: "the key may not do this; check embedder_key_secret or embedder_key_file and embedder_model",
    404: "nothing there; check embedder_url and embedder_model",
}


class _Vector(msgspec.Struct, frozen=True):
    index: int
    embedding: list[float]


class _Reply(msgspec.Struct, frozen=True):
    data: list[_Vector]


_decode = msgspec.json.Decoder(_Reply).decode


class _Again(Exception):
    """Failed in a way that may pass; perhaps the server said when."""

    def __init__(self, reason: str, pause_s: float | None = None) -> None:
        super().__init__(reason)
        self.pause_s = pause_s


class HttpEmbedder:
    """Posts texts to an endpoint; 429, 5xx and broken connections are tried again within the deadline.

    Texts without a visible character are not sent, since servers refuse them: their vector is the first axis.

    Raises:
        EmbedderUnusable: The key can't be read.
        SecretUnavailable: The server that keeps it is away.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.space = endpoint.space
        self._endpoint = endpoint
        endpoint.headers()  # what is wrong with the key is said at the start
        headers = {"Accept-Encoding": "identity", "Content-Type": "application/json"}
        client = httpx.Client(headers=headers, follow_redirects=False)
        self._client = client
        self.close = weakref.finalize(self, client.close)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dimension) unit vectors.

        Raises:
            EmbedderDown: No usable answer within the attempts and the deadline; the message says why.
        """
        cut = [readable(text, self._endpoint.characters) for text in texts]
        rows = np.zeros((len(texts), self.space.dimension))
        for places in batched((place for place, text in enumerate(cut) if text), self._endpoint.batch):
            rows[list(places)] = self._ask([cut[place] for place in places])
        return unit_rows(rows, source=self._endpoint.name)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """(dimension,) unit vector.

        Raises:
            EmbedderDown: As of `embed`.
        """
        vector: NDArray[np.float32] = self.embed([text])[0]
        return vector

    def _ask(self, texts: list[str]) -> NDArray[np.float64]:
        body = msgspec.json.encode(
            {"model": self._endpoint.model, "input": texts, "encoding_format": "float"}
        )
        deadline = time.monotonic() + self._endpoint.deadline_s
        key = self._key()
        for attempt in count(1):
            try:
                answer = self._post(body, key, limit=self._longest_answer(len(texts)), deadline=deadline)
            except _Again as again:
                pause = BACKOFF_S * 2 ** (attempt - 1) if again.pause_s is None else again.pause_s
                if attempt >= self._endpoint.attempts or time.monotonic() + pause >= deadline:
                    raise self._down(f"{again}, after {attempt} attempts") from again
                time.sleep(pause)
            else:
                break
        return self._vectors(answer, len(texts))

    def _key(self) -> dict[str, str]:
        try:
            return self._endpoint.headers()
        except (EmbedderUnusable, SecretUnavailable) as failure:
            raise self._down(str(failure)) from None

    def _post(self, body: bytes, key: dict[str, str], *, limit: int, deadline: float) -> bytes:
        left = max(deadline - time.monotonic(), 0.001)
        answer = bytearray()
        try:
            with self._client.stream(
                "POST", self._endpoint.address, content=body, headers=key, timeout=left
            ) as response:
                self._check(response)
                for chunk in response.iter_bytes():
                    answer += chunk
                    if len(answer) > limit:
                        raise self._down(f"an answer of more than {limit} bytes")
                    if time.monotonic() > deadline:
                        raise self._down(self._too_late)
        except httpx.TimeoutException as error:
            raise self._down(self._too_late) from error
        except httpx.HTTPError as error:
            raise _Again(type(error).__name__) from error
        return bytes(answer)

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if status == httpx.codes.TOO_MANY_REQUESTS or status >= 500:
            raise _Again(f"status {status}", _pause_s(response.headers.get("Retry-After")))
        if status != httpx.codes.OK:
            raise self._down(f"status {status}: {_HINTS.get(status, 'not an answer; check embedder_url')}")

    def _vectors(self, answer: bytes, texts: int) -> NDArray[np.float64]:
        try:
            vectors = sorted(_decode(answer).data, key=lambda vector: vector.index)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._down(f"not an answer of embeddings: {error}") from error
        if [vector.index for vector in vectors] != list(range(texts)):
            raise self._down(f"{len(vectors)} vectors, not one for each of {texts} texts")
        for vector in vectors:
            if len(vector.embedding) != self.space.dimension:
                raise self._down(
                    f"vectors of {len(vector.embedding)}; embedder_dimension is {self.space.dimension}"
                )
        return np.array([vector.embedding for vector in vectors])

    def _longest_answer(self, texts: int) -> int:
        return texts * self.space.dimension * _BYTES_PER_NUMBER + _OTHER_BYTES

    @property
    def _too_late(self) -> str:
        return f"no answer within deadline_s, {self._endpoint.deadline_s:g}"

    def _down(self, why: str) -> EmbedderDown:
        return EmbedderDown(f"{self._endpoint.name}: {why}")


def _pause_s(retry_after: str | None) -> float | None:
    """Seconds of a Retry-After header (RFC 9110, section 10.2.3); none when it says nothing readable."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max((parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None
