"""A dump holds the state that was counted, and a database made of it is the same."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import psycopg
import pytest
from emily_postgres import DatabaseUnavailable
from emily_postgres.dumping import Command, dump_command, frozen, restore, tables
from emily_postgres.errors import DumpFailed
from emily_postgres.testing import database

DEADLINE_S = 60.0
SCHEMA = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE SCHEMA own;
CREATE TABLE own.thing (id bigint PRIMARY KEY, said text, meaning halfvec(3), more jsonb);
ALTER TABLE own.thing ENABLE ROW LEVEL SECURITY;
DO $$ BEGIN CREATE ROLE dump_reader NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
CREATE POLICY readable ON own.thing FOR SELECT TO dump_reader USING (id > 1);
GRANT USAGE ON SCHEMA own TO dump_reader;
GRANT SELECT ON own.thing TO dump_reader;
"""
ROWS = "INSERT INTO own.thing SELECT i, 'said ' || i, ARRAY[i, 1, 2]::halfvec(3), jsonb_build_object('i', i)"


@pytest.fixture
def filled(url: str) -> str:
    with psycopg.connect(url) as connection:
        connection.execute(SCHEMA)
        connection.execute(f"{ROWS} FROM generate_series(1, 500) i")
    return url


def written(command: Command, to: Path) -> Path:
    with to.open("wb") as out:
        subprocess.run(
            command.words,
            env=os.environ | command.environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            check=True,
            timeout=DEADLINE_S,
        )
    return to


def test_database_made_of_a_dump_holds_what_was_counted_and_nothing_later(
    filled: str, server_url: str, tmp_path: Path
) -> None:
    with frozen(filled) as state:
        before, roles = state.tables(digests=True), state.roles()
        with psycopg.connect(filled) as connection:
            connection.execute(f"{ROWS} FROM generate_series(501, 600) i")
            connection.execute("UPDATE own.thing SET said = 'other' WHERE id = 7")
        dump = written(dump_command(filled, state.snapshot), tmp_path / "dump")
        assert state.tables(digests=True) == before
    assert [(table.name, table.rows) for table in before] == [("own.thing", 500)]
    with database(server_url) as fresh:
        restore(fresh, dump, roles=roles, deadline_s=DEADLINE_S)
        assert tables(fresh, digests=True) == before != tables(filled, digests=True)
        with psycopg.connect(fresh) as connection:
            connection.execute("SET ROLE dump_reader")
            row = connection.execute("SELECT count(*) FROM own.thing").fetchone()
        assert row == (499,)


def test_roles_that_a_dump_names_are_made_where_they_are_missing(
    filled: str, server_url: str, tmp_path: Path
) -> None:
    with frozen(filled) as state:
        roles = state.roles()
        dump = written(dump_command(filled, state.snapshot), tmp_path / "dump")
    assert "dump_reader" in roles
    with psycopg.connect(filled, autocommit=True) as connection:
        connection.execute("DROP OWNED BY dump_reader")
        connection.execute("DROP ROLE dump_reader")
    with database(server_url) as fresh:
        restore(fresh, dump, roles=roles, deadline_s=DEADLINE_S)
        assert [table.rows for table in tables(fresh, digests=False)] == [500]


def test_one_changed_byte_of_a_row_changes_the_digest_and_the_order_of_rows_does_not(filled: str) -> None:
    before = tables(filled, digests=True)
    with psycopg.connect(filled) as connection:
        connection.execute("CREATE TABLE again AS SELECT * FROM own.thing ORDER BY id DESC")
        connection.execute("DROP TABLE own.thing")
        connection.execute("ALTER TABLE again RENAME TO thing")
        connection.execute("ALTER TABLE thing SET SCHEMA own")
    assert tables(filled, digests=True) == before
    with psycopg.connect(filled) as connection:
        connection.execute("UPDATE own.thing SET said = 'said 8.' WHERE id = 8")
    assert tables(filled, digests=True) != before


def test_damaged_dump_is_refused(filled: str, server_url: str, tmp_path: Path) -> None:
    with frozen(filled) as state:
        dump = written(dump_command(filled, state.snapshot), tmp_path / "dump")
    dump.write_bytes(dump.read_bytes()[:1500])
    with database(server_url) as fresh, pytest.raises(DumpFailed, match="dump"):
        restore(fresh, dump, roles=(), deadline_s=DEADLINE_S)


def test_password_is_not_among_the_words_of_the_command() -> None:
    command = dump_command("postgresql://me:hidden@localhost/db", "00000003-1")  # pragma: allowlist secret
    assert "hidden" not in " ".join(command.words)
    assert command.environment == {"PGPASSWORD": "hidden"}  # pragma: allowlist secret


def test_database_that_is_away_is_named() -> None:
    with (
        pytest.raises(DatabaseUnavailable, match=r"127\.0\.0\.1"),
        frozen("postgresql://postgres@127.0.0.1:1/postgres"),
    ):
        pass
