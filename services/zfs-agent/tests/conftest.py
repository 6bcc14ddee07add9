"""A real pool where ZFS runs, and recorded answers of OpenZFS 2.3."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from emily_bus.testing import router
from emily_zfs_agent.commands import Commands
from emily_zfs_agent.testing import Recorded, patience, unavailable
from emily_zfs_agent.testing import pool as made
from emily_zfs_agent.zfs import Zfs


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """OpenZFS 2.3 as recorded, first on the path."""
    own = Recorded(tmp_path)
    monkeypatch.setenv("PATH", f"{own.bin}{os.pathsep}{os.environ['PATH']}")
    return own


@pytest.fixture(scope="session")
def whole_pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real pool that all tests of a worker share."""
    reason = unavailable()
    if reason:
        pytest.skip(reason)
    with made(tmp_path_factory.mktemp("pool")) as name:
        yield name


@pytest.fixture
def openzfs(whole_pool: str) -> Zfs:
    """The ZFS of this machine, where it can do all that we ask of OpenZFS."""
    zfs = Zfs(Commands())
    if lost := zfs.capabilities.lost():
        pytest.skip("; ".join(lost))
    return zfs


@pytest.fixture
def dataset(whole_pool: str, request: pytest.FixtureRequest) -> str:
    """A filesystem of each test's own in a real pool, with one below it called `below`."""
    name = f"{whole_pool}/{request.node.name[:60].replace('[', '-').replace(']', '')}"
    commands = Commands()
    commands.zfs("create", name)
    commands.zfs("create", f"{name}/below")
    return name


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that services run on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session", autouse=True)
def patient() -> Iterator[None]:
    """Deadlines that suit the machine."""
    with patience():
        yield


@pytest.fixture(scope="session")
def endpoint(patient: None) -> Iterator[str]:
    """Of a bus router that the tests of a worker share."""
    with router() as listening:
        yield listening
