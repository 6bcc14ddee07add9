"""A database of each test's own with the application on it, and one real flag-service for all tests."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from emily_bus.testing import router
from emily_contracts.flags import FlagSnapshot
from emily_flag_service.api.app import create_app
from emily_flag_service.book import Book
from emily_flag_service.metrics import Metrics
from emily_flag_service.store.store import SCHEMA, Store, migrations, opened
from emily_flags import load_folder
from emily_postgres.migrating import Database as Schema
from emily_postgres.testing import database, grown, server_url, url
from emily_runtime.secrets import FileSource
from emily_runtime.testing import ServiceProcess
from emily_runtime.tokens import Tokens, make_missing
from litestar import Litestar
from prometheus_client import CollectorRegistry

__all__ = ["grown", "server_url", "url"]

SHIPPED = Path(__file__).parents[3] / "infra" / "flags"
HEARTBEAT_S = "0.2"


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that services run on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def grow() -> Callable[[str], object]:
    """Makes the schema of flags."""
    return lambda url: Schema(url, SCHEMA).migrate(migrations())


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """An empty store."""
    async with opened(url, size=2) as own:
        yield own


@pytest.fixture
async def book(store: Store) -> Book:
    """The flags that we ship; nobody is told of changes."""

    async def say(_: FlagSnapshot) -> None: ...

    await store.take_over(load_folder(SHIPPED), author="file")
    made = Book(store, say, metrics=Metrics(CollectorRegistry()), heartbeat_s=60)
    await made.refresh()
    return made


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """With the token of `operator`."""
    file = tmp_path / "flags.token"
    make_missing(file, by="test")
    return file


@pytest.fixture
def app(book: Book, token_file: Path) -> Litestar:
    """The application, as the service serves it."""
    return create_app(
        lambda: book, tokens=Tokens(FileSource(token_file)), allowed_hosts=("localhost",), version="1"
    )


@pytest.fixture
async def stranger(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without a token."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        yield client


@pytest.fixture
async def http(app: Any, token_file: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with one."""
    headers = {"Authorization": f"Bearer {token_file.read_text().split()[1]}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://localhost", headers=headers
    ) as client:
        yield client


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """Of a bus router that the tests of a worker share."""
    with router() as listening:
        yield listening


@pytest.fixture(scope="session")
def database_url(server_url: str, grown: str) -> Iterator[str]:
    """Of the database that the real flag-service keeps for all tests of a worker."""
    with database(server_url, template=grown) as own:
        yield own


@pytest.fixture(scope="session")
def living(
    endpoint: str, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceProcess]:
    """A flag-service with the flags that we ship."""
    made = ServiceProcess(
        (sys.executable, "-m", "emily_flag_service"),
        name="flag-service",
        endpoint=endpoint,
        namespace="emily-flags",
        state_dir=tmp_path_factory.mktemp("flag-service"),
    )
    try:
        made.start(database_url=database_url, flags_dir=str(SHIPPED), heartbeat_s=HEARTBEAT_S)
        yield made
        assert made.stop() == 0
    finally:
        made.kill()
