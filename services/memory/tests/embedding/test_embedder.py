"""What the embedders in the process keep to; the slow one has its own tests."""

from __future__ import annotations

import numpy as np
import pytest
from emily_memory.embedding import Embedder
from emily_memory.embedding.hashing import HashingEmbedder
from emily_memory.embedding.minilm import MiniLM
from hypothesis import given, settings
from hypothesis import strategies as st

NASTY = [
    "",
    " \t\n",
    "\0",
    "a\0b",
    "\ud800",
    "half a pair \udfff here",
    "🧠🔥👩‍👩‍👧‍👦",
    "שלום עולם",
    "مرحبا بالعالم",
    "e\u0301" * 300,
    "\u202eright to left by force",
    "你好，世界" * 200,
    "x" * 5000,
    "'); DROP TABLE episode; --",
    "[CLS] [SEP] [MASK] [PAD]",
    "\ufffd\ufeff\u200b",
]
TEXTS = st.text(st.characters(), max_size=80) | st.sampled_from(NASTY)


@pytest.fixture(scope="session", params=["minilm", "hashing"])
def embedder(request: pytest.FixtureRequest, minilm: MiniLM) -> Embedder:
    return minilm if request.param == "minilm" else HashingEmbedder()


def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    vectors = embedder.embed([])
    assert vectors.shape == (0, embedder.space.dimension)
    assert vectors.dtype == np.float32


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_any_text_has_a_unit_vector(embedder: Embedder, text: str) -> None:
    for vector in (embedder.embed([text])[0], embedder.embed_query(text)):
        assert vector.shape == (embedder.space.dimension,)
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_ten_megabytes_are_read_from_the_beginning_only(embedder: Embedder) -> None:
    word = "remember "
    endless = word * (10_000_000 // len(word))
    assert np.array_equal(embedder.embed_query(endless), embedder.embed_query(endless[:100_000]))


def test_ten_megabytes_of_space_before_a_text_do_not_hide_it(embedder: Embedder) -> None:
    assert np.array_equal(
        embedder.embed_query(" " * 10_000_000 + "remember me"), embedder.embed_query("remember me")
    )


@settings(max_examples=30)
@given(texts=st.lists(TEXTS, max_size=12))
def test_vectors_are_finite_of_unit_length_and_the_same_each_time(
    embedder: Embedder, texts: list[str]
) -> None:
    vectors = embedder.embed(texts)
    assert np.isfinite(vectors).all()
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-5)
    assert embedder.embed(texts).tobytes() == vectors.tobytes()


@settings(max_examples=30)
@given(texts=st.lists(TEXTS, min_size=1, max_size=40))
def test_company_in_a_batch_changes_no_vector_and_order_is_kept(embedder: Embedder, texts: list[str]) -> None:
    alone = np.stack([embedder.embed([text])[0] for text in texts])
    assert np.abs(embedder.embed(texts) - alone).max() < 1e-5


def test_a_batch_beyond_one_run_keeps_its_order(embedder: Embedder) -> None:
    texts = [f"{'very ' * (number * 7 % 60)}long story number {number}" for number in range(100)]
    nearest = (embedder.embed(texts) @ embedder.embed(texts[::-1]).T).argmax(axis=1)
    assert nearest.tolist() == list(reversed(range(100)))
