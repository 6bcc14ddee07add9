from __future__ import annotations

import numpy as np
from emily_memory.embedding.hashing import HashingEmbedder

hashing = HashingEmbedder()


def likeness(one: str, other: str) -> float:
    return float(hashing.embed_query(one) @ hashing.embed_query(other))


def test_it_says_that_it_is_not_semantic() -> None:
    assert not hashing.space.semantic


def test_shared_words_are_near_and_shared_meaning_is_not() -> None:
    assert likeness("the red car stopped", "the red car drove on") > 0.4
    assert abs(likeness("car", "automobile")) < 0.2


def test_case_and_composition_of_letters_do_not_matter() -> None:
    assert np.array_equal(hashing.embed_query("CAFÉ"), hashing.embed_query("cafe\u0301"))


def test_order_of_words_matters() -> None:
    assert likeness("dog bites man", "man bites dog") < 0.999


def test_a_text_without_words_is_the_first_axis() -> None:
    assert np.array_equal(hashing.embed_query(" \n"), np.eye(1, 384, dtype=np.float32)[0])


def test_vectors_are_those_of_every_other_machine() -> None:
    vector = hashing.embed_query("remember the milk")
    places = np.flatnonzero(vector)
    assert places.tolist() == [22, 41, 70, 73, 279]
    assert np.sign(vector[places]).tolist() == [1, 1, -1, 1, -1]
