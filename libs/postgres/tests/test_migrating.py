from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest
from emily_postgres import DatabaseUnavailable, MigrationError, open_pool
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
    plan = owner.plan(every, contract=True, living={"blue": 1, "green": 3})
    refused = "older colours live: blue (version 1); stop them first"
    assert [each.refused for each in plan] == [None, None, None, refused]
    assert "ask for it" in str(owner.plan(every)[-1].refused)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT to_regnamespace('owner')").fetchone() == (None,)


def test_a_contraction_waits_until_it_is_asked_for_and_no_older_colour_lives(owner: Database) -> None:
    every = [EXPAND, FIRST_NAME, BACKFILL, CONTRACT]
    owner.migrate(every)
    assert owner.version() == 3
    with pytest.raises(MigrationError, match=r"0004_name.contract.sql: older colours live: blue"):
        owner.migrate(every, contract=True, living={"blue": 1})
    assert files(owner.migrate(every, contract=True, living={"green": 2})) == ["0004_name.contract.sql"]


def test_who_does_not_say_what_it_speaks_is_an_older_colour(owner: Database) -> None:
    every = [EXPAND, FIRST_NAME, BACKFILL, CONTRACT]
    with pytest.raises(MigrationError, match=r"older colours live: blue \(version unknown\)"):
        owner.migrate(every, contract=True, living={"blue": 0})


def test_without_views_every_colour_that_came_without_the_contraction_is_older(owner: Database) -> None:
    every = [replace(EXPAND, views=None), replace(CONTRACT, number=2, statements="DROP TABLE person")]
    owner.migrate(every)
    with pytest.raises(MigrationError, match="older colours live: blue"):
        owner.migrate(every, contract=True, living={"blue": 1})
    owner.migrate(every, contract=True, living={"green": 2})


def test_what_stands_behind_a_contraction_waits_for_it(owner: Database) -> None:
    later = Migration(number=5, name="later", phase=Phase.EXPAND, statements="SELECT 1", views="SELECT 1")
    every = [EXPAND, FIRST_NAME, BACKFILL, CONTRACT, later]
    assert owner.plan(every)[-1].refused == "waits for 0004_name.contract.sql"
    owner.migrate(every)
    assert owner.version() == 3
    with pytest.raises(MigrationError, match="owner_v5: a contraction that is not applied stands before it"):
        owner.require(5)
    owner.migrate(every, contract=True)
    owner.require(5)
    with pytest.raises(MigrationError, match="owner_v1: a contraction removed it; start a newer version"):
        owner.require(1)


@pytest.mark.anyio
async def test_who_is_connected_to_older_views_blocks_a_contraction(owner: Database, url: str) -> None:
    every = [EXPAND, FIRST_NAME, BACKFILL, CONTRACT]
    owner.migrate(every)
    async with open_pool(url, schema="owner", version=1, name="blue writer", size=2) as pool:
        async with pool.connection() as connection:
            await connection.execute("INSERT INTO person VALUES (1, 'ann')")
        async with open_pool(url, schema="owner", version=2, name="green writer", size=1):
            assert owner.speakers() == {"blue": 1, "green": 2}
            refused = "older colours live: blue (version 1); stop them first"
            assert owner.plan(every, contract=True, living={"blue": 4})[-1].refused == refused
            with pytest.raises(MigrationError, match="older colours live: blue"):
                owner.migrate(every, contract=True)
    async with open_pool(url, schema="owner", version=2, name="green writer", size=1):
        assert files(owner.migrate(every, contract=True, living={"green": 0})) == ["0004_name.contract.sql"]


def test_a_file_that_was_changed_after_it_was_applied_is_refused(owner: Database) -> None:
    owner.migrate([EXPAND])
    for changed in (
        replace(EXPAND, statements=EXPAND.statements + " "),
        replace(EXPAND, views=f"{EXPAND.views} "),
    ):
        with pytest.raises(MigrationError, match=r"0001_people.expand.sql: was changed after it was applied"):
            owner.migrate([changed])


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


@pytest.mark.parametrize("last", ["migration", "request"])
def test_a_deadlock_with_a_request_ends_neither(owner: Database, url: str, last: str) -> None:
    owner.migrate([EXPAND])
    people(url, 1)
    both = replace(
        FIRST_NAME,
        statements=f"{FIRST_NAME.statements}; SELECT pg_sleep({0.6 if last == 'migration' else 0});"
        " LOCK TABLE owner.other",
    )
    with psycopg.connect(url, autocommit=True) as served:
        served.execute("CREATE TABLE owner.other (id int)")
        migrating = threading.Thread(target=owner.migrate, args=([EXPAND, both],))
        with served.transaction():
            served.execute("INSERT INTO owner.other VALUES (1)")
            migrating.start()
            time.sleep(0.3)
            served.execute("UPDATE owner.person SET name = 'ann'")
        migrating.join(30)
    assert owner.version() == 2


def test_a_backfill_waits_for_rows_that_a_request_holds_and_goes_on(owner: Database, url: str) -> None:
    owner.migrate([EXPAND, FIRST_NAME])
    people(url, 30)
    told: list[int] = []
    with psycopg.connect(url) as holder:
        holder.execute("UPDATE owner.person SET name = 'x' WHERE id = 25")
        release = threading.Timer(1.5, holder.commit)
        release.start()
        owner.migrate([EXPAND, FIRST_NAME, BACKFILL], progress=lambda migration, rows: told.append(rows))
        release.join()
    assert told == [0, 10, 20, 30]


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


def test_views_without_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "views").mkdir()
    (tmp_path / "views" / "0001.sql").write_text("SELECT 1")
    with pytest.raises(MigrationError, match=r"views/0001\.sql: there is no migration of this number"):
        load(tmp_path)


def test_a_database_that_is_away_is_named_without_its_password() -> None:
    away = Database("postgresql://u:hush@127.0.0.1:1/x", "owner")  # pragma: allowlist secret
    with pytest.raises(DatabaseUnavailable, match=r"no connection to 127\.0\.0\.1:1/x") as caught:
        away.version()
    assert "hush" not in str(caught.value)


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
