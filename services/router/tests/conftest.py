"""Real routers on a real bus."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from emily_bus.testing import router
from emily_postgres.testing import grow, grown, server_url, url
from emily_runtime.testing import ServiceProcess, service_process

__all__ = ["grow", "grown", "server_url", "url"]


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """A bus router's endpoint."""
    with router() as listening:
        yield listening


@pytest.fixture(scope="session")
def process(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A running router that the tests share."""
    folder = tmp_path_factory.mktemp("router")
    with service_process("router", endpoint=endpoint, namespace="emily", state_dir=folder) as made:
        made.start(http_port="0")
        yield made
        assert made.stop() == 0


@pytest.fixture
def fresh(endpoint: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ServiceProcess]:
    """A router of the test's own; settings by `@pytest.mark.parametrize("fresh", ..., indirect=True)`."""
    namespace = f"emily-{zlib.crc32(request.node.nodeid.encode())}"
    with service_process("router", endpoint=endpoint, namespace=namespace, state_dir=tmp_path) as made:
        made.start(http_port="0", **getattr(request, "param", {}))
        yield made
