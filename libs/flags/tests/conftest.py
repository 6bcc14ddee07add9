"""Flags to test with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from emily_bus.testing import router
from emily_flags import Flag, parse_flag
from emily_flags.testing import define


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that services run on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """Of a bus router that the tests of a worker share."""
    with router() as listening:
        yield listening


@pytest.fixture
def canary() -> Flag:
    """On for one key in ten."""
    return parse_flag("canary", define(targeting={"fractional": [["on", 10], ["off", 90]]}))
