"""A real server for tests, and a database of each test's own."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from emily_postgres.embedded import embedded


@contextmanager
def server() -> Iterator[str]:
    """The URL of a server in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="emily-pg-") as folder, embedded(Path(folder)) as url:
        yield url


@contextmanager
def database(server_url: str, *, template: str = "template1") -> Iterator[str]:
    """The URL of a new database, dropped with the block."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
        try:
            yield server_url.replace("/postgres?", f"/{name}?")
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
