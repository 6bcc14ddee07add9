"""A real server for tests, and a database of each test's own.

A conftest imports the fixtures `server_url`, `grown` and `url`; where a schema is to stand in every database,
it has a fixture `grow` of its own.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from emily_postgres.embedded import embedded


@contextmanager
def server() -> Iterator[str]:
    """The URL of a server in a temporary folder, which no power cut has to spare: it waits for no disk."""
    with tempfile.TemporaryDirectory(prefix="emily-pg-") as folder, embedded(Path(folder)) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
            connection.execute("SELECT pg_reload_conf()")
        yield url


@contextmanager
def database(server_url: str, *, template: str | None = None) -> Iterator[str]:
    """The URL of a new database, dropped with the block.

    Args:
        server_url: Of the server.
        template: URL of a database to copy, which nobody may be connected to.
    """
    copied = "template1" if template is None else conninfo_to_dict(template)["dbname"]
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(str(copied))
            )
        )
        try:
            yield server_url.replace("/postgres?", f"/{name}?")
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """Of a real server that the tests of a worker share."""
    with server() as own:
        yield own


@pytest.fixture(scope="session")
def grow() -> Callable[[str], object]:
    """What makes the schema in a database; nothing does by default."""
    return lambda _: None


@pytest.fixture(scope="session")
def grown(server_url: str, grow: Callable[[str], object]) -> Iterator[str]:
    """Of a database that has the schema and nothing else."""
    with database(server_url) as own:
        grow(own)
        yield own


@pytest.fixture
def url(server_url: str, grown: str) -> Iterator[str]:
    """Of a database of the test's own, with the schema."""
    with database(server_url, template=grown) as own:
        yield own
