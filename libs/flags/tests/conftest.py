"""Flags to test with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from emily_bus.testing import router
from emily_flags import Flag, parse_flag

METADATA = {"owner": "tests", "expires": "2099-01-01"}
type Define = Callable[..., dict[str, Any]]


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
def define() -> Define:
    """Makes definitions of a boolean flag, with changes."""

    def make(**changes: Any) -> dict[str, Any]:
        definition = {
            "state": "ENABLED",
            "variants": {"on": True, "off": False},
            "defaultVariant": "off",
            "metadata": METADATA,
        }
        return definition | changes

    return make


@pytest.fixture
def canary(define: Define) -> Flag:
    """On for one key in ten."""
    return parse_flag("canary", define(targeting={"fractional": [["on", 10], ["off", 90]]}))
