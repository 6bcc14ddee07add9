"""A tag of git becomes a folder of code, once and whole."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from emily_deployer.drivers.tagged import Tags
from emily_deployer.errors import StepFailed

pytestmark = pytest.mark.anyio


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "contracts").mkdir(parents=True)
    (folder / "contracts" / "code.py").write_text("VERSION = 1\n")
    identity = ("-c", "user.name=ann", "-c", "user.email=ann@localhost")
    for command in (
        ("init", "-q"),
        ("add", "."),
        (*identity, "commit", "-q", "-m", "first"),
        ("tag", "v1"),
    ):
        subprocess.run(["git", "-C", str(folder), *command], check=True, stdin=subprocess.DEVNULL)
    (folder / "contracts" / "code.py").write_text("VERSION = 2\n")
    return folder


async def test_a_tag_is_taken_out_as_it_was(repository: Path, tmp_path: Path) -> None:
    tags = Tags(tmp_path / "releases", repository)
    release = await tags.resolve("v1")
    assert release is not None
    assert release.startswith("git:v1@")
    assert await tags.resolve(release) == release
    for _ in range(2):
        await tags.take_out(release)
    read = tags.release(release)
    assert read.name == "v1"
    (path,) = read.path
    assert (Path(path) / "code.py").read_text() == "VERSION = 1\n"


@pytest.mark.parametrize("version", ["v9", "--all", "v1^{tree}", "v 1", "", "git:v1@../../etc"])
async def test_what_is_no_tag_is_none(repository: Path, tmp_path: Path, version: str) -> None:
    assert await Tags(tmp_path, repository).resolve(version) is None


async def test_without_git_there_are_no_tags(repository: Path, tmp_path: Path) -> None:
    assert await Tags(tmp_path, tmp_path).resolve("v1") is None
    with pytest.raises(StepFailed, match="git archive: exit"):
        await Tags(tmp_path / "releases", repository).take_out(f"git:v9@{'0' * 40}")
