"""A server for all tests of a worker, and a database for each."""

from __future__ import annotations

import pytest
from emily_postgres.testing import grow, grown, server_url, url

__all__ = ["grow", "grown", "server_url", "url"]


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that services run on."""
    return "asyncio", {"use_uvloop": True}
