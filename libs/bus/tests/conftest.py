"""A real router, and a namespace of each test's own."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager

import pytest
from emily_bus import Bus, BusSettings
from emily_bus.testing import OpenBus, router


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that services run on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """A router that the tests share."""
    with router() as listening:
        yield listening


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> str:
    """Nobody else's."""
    return f"emily/test-{zlib.crc32(request.node.nodeid.encode())}"


@pytest.fixture
def open_bus(endpoint: str, namespace: str) -> OpenBus:
    """Opens a session in the test's namespace."""

    def opened(name: str = "test", publish_timeout_s: float = 10.0) -> AbstractAsyncContextManager[Bus]:
        settings = BusSettings(endpoint=endpoint, publish_timeout_s=publish_timeout_s)
        return Bus.open(settings, namespace=namespace, name=name)

    return opened
