from __future__ import annotations

import numpy as np
import pytest
from emily_memory.embedding.minilm import MiniLM

PARAPHRASES = [
    ("A man is playing a guitar.", "Someone plays an instrument with strings."),
    ("The server ran out of disk space.", "There was no room left on the hard drive."),
    ("She adopted a puppy last summer.", "In July she got a young dog."),
    ("How do I reset my password?", "I forgot my login credentials and need new ones."),
    ("The meeting was moved to Thursday.", "They rescheduled the appointment for a later weekday."),
]


def test_it_says_that_it_is_semantic() -> None:
    assert MiniLM.space.semantic
    assert MiniLM.space.dimension == 384


def test_a_paraphrase_is_nearer_than_every_unrelated_text(minilm: MiniLM) -> None:
    left = minilm.embed([one for one, _ in PARAPHRASES])
    right = minilm.embed([other for _, other in PARAPHRASES])
    likeness = left @ right.T
    assert likeness.argmax(axis=1).tolist() == list(range(len(PARAPHRASES)))
    unrelated = likeness[~np.eye(len(PARAPHRASES), dtype=bool)]
    assert likeness.diagonal().mean() > unrelated.mean() + 0.3


def test_a_question_finds_its_answer(minilm: MiniLM) -> None:
    answers = minilm.embed(
        ["Paris is the capital of France.", "Bread is baked from flour.", "Whales are mammals."]
    )
    assert (answers @ minilm.embed_query("Which city governs France?")).argmax() == 0


def test_likeness_is_that_of_the_model_in_single_precision(minilm: MiniLM) -> None:
    """Against cosines of the published float32 weights, computed once in double precision."""
    likeness = [float(one @ other) for one, other in map(minilm.embed, PARAPHRASES)]
    assert likeness == pytest.approx([0.6633, 0.6053, 0.7310, 0.5936, 0.5620], abs=0.01)


def test_what_is_beyond_256_tokens_does_not_count(minilm: MiniLM) -> None:
    beginning = "remember " * 254
    assert np.array_equal(minilm.embed_query(beginning + "nothing"), minilm.embed_query(beginning))
    assert not np.array_equal(
        minilm.embed_query("remember " * 253 + "nothing"), minilm.embed_query(beginning)
    )


def test_more_threads_give_the_same_vectors(minilm: MiniLM) -> None:
    texts = [text for pair in PARAPHRASES for text in pair]
    assert np.abs(MiniLM(threads=2).embed(texts) - minilm.embed(texts)).max() < 1e-5
