"""Real routers on a real bus."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from emily_bus.testing import router
from emily_router.testing import Process


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """A bus router's endpoint."""
    with router() as listening:
        yield listening


@pytest.fixture(scope="session")
def process(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A running router that the tests share."""
    made = Process(endpoint, tmp_path_factory.mktemp("router"), "emily")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def fresh(endpoint: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Process]:
    """A router of the test's own; settings by `@pytest.mark.parametrize("fresh", ..., indirect=True)`."""
    namespace = f"emily-{zlib.crc32(request.node.nodeid.encode())}"
    made = Process(endpoint, tmp_path, namespace, **getattr(request, "param", {}))
    made.start()
    yield made
    made.kill()
