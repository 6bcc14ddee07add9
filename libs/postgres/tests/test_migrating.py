from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest
from emily_postgres import MigrationError
from emily_postgres.migrating import Database
from emily_postgres.migration import Migration, Phase, load
from msgspec.structs import replace

EXPAND = Migration(
    number=1,
    name="people",
    phase=Phase.EXPAND,
    statements="CREATE TABLE person (id int PRIMARY KEY, name text NOT NULL)",
    views="CREATE VIEW person AS SELECT id, name FROM owner.person",
)
FIRST_NAME = Migration(
    number=2,
    name="first_name",
    phase=Phase.EXPAND,
    statements="ALTER TABLE person ADD first_name text",
    views="CREATE VIEW person AS SELECT id, coalesce(first_name, name) AS first_name FROM owner.person",
)
BACKFILL = Migration(
    number=3,
    name="first_name",
    phase=Phase.BACKFILL,
    statements="UPDATE person SET first_name = name WHERE id IN"
    " (SELECT id FROM person WHERE first_name IS NULL LIMIT 10)",
)
CONTRACT = Migration(
    number=4,
    name="name",
    phase=Phase.CONTRACT,
    statements="DROP SCHEMA owner_v1 CASCADE; ALTER TABLE person DROP COLUMN name CASCADE",
)


@pytest.fixture
def owner(url: str) -> Database:
    return Database(url, "owner")


def people(url: str, count: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO owner.person SELECT n, 'p' || n FROM generate_series(1, %s) n", [count]
        )


def files(migrations: Sequence[Migration]) -> list[str]:
    return [migration.file for migration in migrations]


def test_each_file_is_applied_once_and_in_order(owner: Database) -> None:
    assert owner.version() == 0
    assert files(owner.migrate([EXPAND])) == ["0001_people.expand.sql"]
    assert files(owner.migrate([EXPAND, FIRST_NAME])) == ["0002_first_name.expand.sql"]
    assert owner.migrate([EXPAND, FIRST_NAME]) == ()
    assert owner.version() == 2


def test_a_plan_changes_nothing_and_says_what_is_refused(owner: Database, url: str) -> None:
    every = [EXPAND, FIRST_NAME, BACKFILL, CONTRACT]
    plan = owner.plan(every, contract=True, blockers=["blue"])
    assert [each.refused for each in plan] == [None, None, None, "older colours live: blue; stop them first"]
    assert "ask for it" in str(owner.plan(every)[-1].refused)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT to_regnamespace('owner')").fetchone() == (None,)


def test_a_contraction_waits_until_it_is_asked_for_and_no_older_colour_lives(owner: Database) -> None:
    every = [EXPAND, FIRST_NAME, BACKFILL, CONTRACT]
    owner.migrate(every)
    assert owner.version() == 3
    with pytest.raises(MigrationError, match=r"0004_name.contract.sql: older colours live: blue"):
        owner.migrate(every, contract=True, blockers=["blue"])
    assert files(owner.migrate(every, contract=True)) == ["0004_name.contract.sql"]


def test_a_file_that_was_changed_after_it_was_applied_is_refused(owner: Database) -> None:
    owner.migrate([EXPAND])
    with pytest.raises(MigrationError, match=r"0001_people.expand.sql: was changed after it was applied"):
        owner.migrate([replace(EXPAND, statements=EXPAND.statements + " ")])


def test_a_file_that_fails_leaves_nothing_behind(owner: Database, url: str) -> None:
    wrong = replace(EXPAND, statements=EXPAND.statements + "; SELECT 1 / 0")
    with pytest.raises(MigrationError, match="division by zero"):
        owner.migrate([wrong])
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT to_regclass('owner.person')").fetchone() == (None,)
    owner.migrate([EXPAND])


def test_a_backfill_goes_on_where_a_failure_left_it(owner: Database, url: str) -> None:
    owner.migrate([EXPAND, FIRST_NAME])
    people(url, 95)
    batches: list[int] = []

    def interrupt(migration: Migration, rows: int) -> None:
        batches.append(rows)
        if rows == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        owner.migrate([EXPAND, FIRST_NAME, BACKFILL], progress=interrupt)
    with psycopg.connect(url) as connection:
        query = "SELECT count(*) FROM owner.person WHERE first_name IS NOT NULL"
        assert connection.execute(query).fetchone() == (40,)
    owner.migrate([EXPAND, FIRST_NAME, BACKFILL], progress=lambda migration, rows: batches.append(rows))
    assert batches[-1] == 55


def test_two_runners_at_once_apply_each_file_once(url: str) -> None:
    done: list[tuple[Migration, ...]] = []
    every = [EXPAND, FIRST_NAME]
    runners = [
        threading.Thread(target=lambda: done.append(Database(url, "owner").migrate(every))) for _ in range(4)
    ]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join(30)
    assert sorted(map(len, done)) == [0, 0, 0, 2]


def test_a_locked_table_is_waited_for(owner: Database, url: str) -> None:
    owner.migrate([EXPAND])
    with psycopg.connect(url) as holder:
        holder.execute("LOCK TABLE owner.person IN ACCESS SHARE MODE")
        release = threading.Timer(2.5, holder.rollback)
        release.start()
        assert files(owner.migrate([EXPAND, FIRST_NAME])) == ["0002_first_name.expand.sql"]
        release.join()


def test_an_index_is_built_without_a_transaction_also_after_a_failed_attempt(
    owner: Database, url: str
) -> None:
    statements = "-- no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS once ON person (name);\n"
    index = Migration(number=2, name="once", phase=Phase.EXPAND, statements=statements)
    owner.migrate([EXPAND])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("INSERT INTO owner.person VALUES (1, 'twin'), (2, 'twin')")
        with pytest.raises(MigrationError, match="could not create unique index"):
            owner.migrate([EXPAND, index])
        connection.execute("DELETE FROM owner.person WHERE id = 2")
        owner.migrate([EXPAND, index])
        valid = connection.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = 'owner.once'::regclass"
        )
        assert valid.fetchone() == (True,)


def test_the_old_colour_reads_and_writes_while_the_schema_grows_under_it(owner: Database, url: str) -> None:
    owner.migrate([EXPAND])
    people(url, 200)
    stop, requests, failures = threading.Event(), 0, []

    def old_colour() -> None:
        nonlocal requests
        with psycopg.connect(url, autocommit=True, options="-c search_path=owner_v1") as connection:
            while not stop.is_set():
                try:
                    connection.execute("INSERT INTO person VALUES (%s, 'new')", [1000 + requests])
                    connection.execute("SELECT name FROM person WHERE id = 1")
                    requests += 1
                except psycopg.Error as failure:
                    failures.append(failure)

    colour = threading.Thread(target=old_colour)
    colour.start()
    try:
        owner.migrate([EXPAND, FIRST_NAME, BACKFILL])
        with psycopg.connect(url, options="-c search_path=owner_v2") as connection:
            assert connection.execute("SELECT first_name FROM person WHERE id = 7").fetchone() == ("p7",)
    finally:
        stop.set()
        colour.join(30)
    assert requests > 0
    assert failures == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("0002_late.expand.sql", "number 0001 is expected"),
        ("0001_x.later.sql", "name it NNNN_name.PHASE.sql"),
    ],
)
def test_a_file_out_of_line_is_named(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(MigrationError, match=message):
        load(tmp_path)
