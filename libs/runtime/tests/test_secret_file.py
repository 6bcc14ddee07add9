"""A file gives its secret when nobody else can read it, and the new one after it was rotated."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from emily_runtime.secrets import FileSource, SecretRefused
from emily_runtime.secrets.secret import LONGEST


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One that others may enter."""
    made = tmp_path / "open"
    made.mkdir()
    made.chmod(0o755)
    return made


def written(file: Path, content: str | bytes, mode: int = 0o600) -> Path:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    file.chmod(mode)
    return file


def refusal_of(file: Path, **more: Path) -> str:
    with pytest.raises(SecretRefused) as refusal:
        FileSource(file, **more).read()
    message = str(refusal.value)
    assert message.startswith(f"file:{file}: ")
    return message


@pytest.mark.parametrize(
    ("content", "secret"),
    [("hunter2", "hunter2"), ("hunter2\n", "hunter2"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" ä\n", " ä")],
)
def test_the_newline_at_the_end_is_dropped_and_nothing_else(folder: Path, content: str, secret: str) -> None:
    assert FileSource(written(folder / "secret", content)).read().reveal() == secret


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o644, 0o777])
def test_a_file_that_others_can_reach_is_refused_with_the_remedy(folder: Path, mode: int) -> None:
    file = written(folder / "secret", "hunter2", mode)
    message = refusal_of(file)
    assert f"others may read it (mode {mode:04o}); run chmod 600 {file}" in message
    assert "hunter2" not in message


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_its_owner_alone_is_read(folder: Path, mode: int) -> None:
    assert FileSource(written(folder / "secret", "a", mode)).read().reveal() == "a"


def test_a_mount_of_docker_is_read_whatever_its_mode(folder: Path) -> None:
    file = written(folder / "secret", "a", 0o444)
    assert FileSource(file, mounted=folder).read().reveal() == "a"
    (folder / "x").mkdir()
    outside = folder / "x" / ".." / "secret"
    assert "others may read it" in refusal_of(outside, mounted=folder / "x")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file that is root's")
def test_a_file_of_root_on_a_mount_that_nobody_writes_to_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(folder / "secret", "a", 0o444)
    mounted = list(os.statvfs(folder))
    mounted[8] |= os.ST_RDONLY
    monkeypatch.setattr(os, "fstatvfs", lambda _: os.statvfs_result(mounted))
    assert FileSource(file).read().reveal() == "a"
    os.chown(file, 1, 1)
    assert "others may read it" in refusal_of(file)


def test_a_folder_that_others_cannot_enter_closes_its_files_as_emily_init_does(folder: Path) -> None:
    file = written(folder / "secret", "a", 0o644)
    folder.chmod(0o700)
    assert FileSource(file).read().reveal() == "a"
    folder.chmod(0o710)
    refusal_of(file)
    open_link = folder.parent / "link"
    open_link.symlink_to(file)
    refusal_of(open_link)


def test_a_file_that_is_renamed_over_it_is_read_next(folder: Path) -> None:
    file = written(folder / "secret", "old")
    source = FileSource(file)
    assert source.read().reveal() == "old"
    written(folder / "next", "new").rename(file)
    assert source.read().reveal() == "new"


def test_a_secret_that_comes_back_is_read_again(folder: Path) -> None:
    file = folder / "secret"
    source = FileSource(file)
    assert "No such file or directory; name a file that this process may read" in refusal_of(file)
    written(file, "a")
    assert source.read().reveal() == "a"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"\xff\xfehunter2", "it is not a text in UTF-8"),
        (b"", "it is empty"),
        (b"\n", "it is empty"),
        (b"a" * (LONGEST + 1), f"it has {LONGEST + 1} bytes, and a secret at most {LONGEST}"),
    ],
)
def test_what_is_no_secret_is_refused(folder: Path, content: bytes, complaint: str) -> None:
    assert complaint in refusal_of(written(folder / "secret", content))


def test_the_longest_secret_is_read(folder: Path) -> None:
    assert len(FileSource(written(folder / "secret", b"a" * LONGEST)).read().reveal()) == LONGEST


def test_what_is_no_regular_file_is_refused_and_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe", 0o600)
    assert "it is not a regular file" in refusal_of(folder / "pipe")
    assert "Is a directory" in refusal_of(folder)
