"""Versions that are tags of the checkout that runs: their code is taken out of git into a folder."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

import anyio.to_thread

from emily_deployer.drivers.release import Release
from emily_deployer.errors import StepFailed
from emily_deployer.processes import run

CHECKOUT = Path(__file__).parents[4]
"""Where this code is, when it is installed from a checkout."""
PREFIX = "git:"
TAG = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$")
RELEASE = re.compile(r"^git:[A-Za-z0-9][A-Za-z0-9._/-]*@[0-9a-f]{40,64}$")
GIT_TIMEOUT_S = 60.0


class Tags:
    """Of one repository.

    Args:
        folder: Where code is put, by its commit.
        repository: Of the tags.
    """

    def __init__(self, folder: Path, repository: Path = CHECKOUT) -> None:
        self._folder = folder
        self._repository = repository

    async def resolve(self, version: str) -> str | None:
        """The release of a tag or commit, such as `git:v2@4f1c...`; none when there is none."""
        if RELEASE.fullmatch(version):
            return version
        if not TAG.fullmatch(version) or not (self._repository / ".git").exists():
            return None
        try:
            said = await self._git("rev-parse", "--verify", "--quiet", f"{version}^{{commit}}")
        except StepFailed:
            return None
        return f"{PREFIX}{version}@{said.strip()}"

    def release(self, release: str) -> Release:
        """What is run of it, once it is taken out."""
        version, _, commit = release.removeprefix(PREFIX).rpartition("@")
        return Release(name=version, source=str(self._folder / commit))

    async def take_out(self, release: str) -> None:
        """Put its code into its folder, whole or not at all.

        Raises:
            StepFailed: git can't.
        """
        commit = release.rpartition("@")[2]
        place = self._folder / commit
        if place.exists():
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        archive, partial = place.with_suffix(".tar"), place.with_suffix(".partial")
        await self._git("archive", "--format", "tar", "--output", str(archive), commit)
        await anyio.to_thread.run_sync(_unpack, archive, partial)
        partial.rename(place)
        archive.unlink()

    async def _git(self, *arguments: str) -> str:
        return await run(
            ["git", "-C", str(self._repository), *arguments],
            timeout_s=GIT_TIMEOUT_S,
            what=f"git {arguments[0]}",
        )


def _unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
