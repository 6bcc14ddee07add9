"""A small world that deploys happen in, and a machine in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from emily_deployer.store.database import SCHEMA, migrations
from emily_deployer.testing import World
from emily_postgres.migrating import Database as Schema
from emily_postgres.testing import grown, server_url, url

__all__ = ["grown", "server_url", "url"]


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that services run on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Blue answers, green is idle."""
    return World(tmp_path)


@pytest.fixture(scope="session")
def grow() -> Callable[[str], object]:
    """Makes the schema of deploys."""
    return lambda url: Schema(url, SCHEMA).migrate(migrations())
