"""Real flag-services on a real bus with a real database."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from emily_bus.testing import router
from emily_flag_service.store.store import SCHEMA, Store, migrations, opened
from emily_postgres.migrating import Database as Schema
from emily_postgres.testing import database, server
from emily_runtime.testing import ServiceProcess

METADATA = {"owner": "tests", "expires": "2099-01-01"}
SHIPPED = Path(__file__).parents[3] / "infra" / "flags"

type Define = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that services run on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """Of a real server that the tests of a worker share."""
    with server() as url:
        yield url


@pytest.fixture(scope="session")
def grown(server_url: str) -> Iterator[str]:
    """Of a database that has the schema and nothing else."""
    with database(server_url) as url:
        Schema(url, SCHEMA).migrate(migrations())
        yield url


@pytest.fixture
def url(server_url: str, grown: str) -> Iterator[str]:
    """Of a database of the test's own."""
    with database(server_url, template=grown) as own:
        yield own


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """An empty store."""
    async with opened(url) as own:
        yield own


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
def process(endpoint: str, url: str, tmp_path: Path) -> Iterator[ServiceProcess]:
    """A flag-service on a database and in a namespace of the test's own, with the flags that we ship."""
    namespace = f"emily-{tmp_path.name.replace('_', '-').lower()}"
    made = ServiceProcess(
        (sys.executable, "-m", "emily_flag_service"),
        name="flag-service",
        endpoint=endpoint,
        namespace=namespace,
        state_dir=tmp_path,
    )
    try:
        made.start(database_url=url, flags_dir=str(SHIPPED), heartbeat_s="0.2")
        yield made
    finally:
        made.kill()


@pytest.fixture
def token(process: ServiceProcess) -> str:
    """That the service made at its start."""
    return (process.state_dir / "flags.token").read_text().split()[1]
