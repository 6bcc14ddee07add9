"""A server for all tests of a worker, and a database for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from emily_postgres.testing import database, server


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """Of a real server."""
    with server() as url:
        yield url


@pytest.fixture
def url(server_url: str) -> Iterator[str]:
    """Of a database of the test's own."""
    with database(server_url) as own:
        yield own


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that services run on."""
    return "asyncio", {"use_uvloop": True}
