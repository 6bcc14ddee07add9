"""Applies migrations to one schema: one runner at a time, each file once, in order."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
import psycopg
from psycopg import Connection, sql
from psycopg.rows import tuple_row

from emily_postgres.errors import MigrationError
from emily_postgres.migration import Migration, Phase, spoken, views_of
from emily_postgres.pool import unavailable

CONNECT_TIMEOUT_S = 10
LOCK_WAIT_S = 60.0
LOCK_TIMEOUT_S = 0.8
"""How long requests may have to wait behind a migration at a time. Below PostgreSQL's deadlock_timeout of a
second: of a request and a migration that wait for each other, the migration gives way."""
DEADLOCK_TIMEOUT_S = 0.01
"""For the same reason, where its role may say so; else a file should lock one table."""
ATTEMPTS = 10
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 3.2
STATEMENT_TIMEOUT_S = 3600.0

type Progress = Callable[[Migration, int], None]
"""Told of a migration and of the rows that its backfill has changed so far."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What would be done with a migration that is not applied; `refused` says why not."""

    file: str
    phase: Phase
    refused: str | None = None


class Database:
    """A schema that migrations belong to, made when it is missing.

    Args:
        url: Of the database.
        schema: Owned by one service.

    Every method raises `DatabaseUnavailable` when there is no connection.
    """

    def __init__(self, url: str, schema: str) -> None:
        self._url = url
        self._schema = schema

    def version(self) -> int:
        """Number of the last applied migration; 0 before the first."""
        with self._connect() as connection:
            return max(self._applied(connection), default=0)

    def speakers(self) -> dict[str, int]:
        """Version that is spoken by those who are connected now, by the first word of their pools' names."""
        with self._connect() as connection:
            return self._speakers(connection)

    def require(self, version: int) -> None:
        """Make sure that the views of a version are there.

        Raises:
            MigrationError: They are gone, or can't be made yet.
        """
        views = views_of(self._schema, version)
        with self._connect() as connection:
            row = connection.execute("SELECT to_regnamespace(%s)", [views]).fetchone()
            newest = max(self._applied(connection), default=0)
        if row is None or row[0] is not None:
            return
        raise MigrationError(
            f"{views}: a contraction that is not applied stands before it; stop older colours and apply it"
            if newest < version
            else f"{views}: a contraction removed it; start a newer version, the schema is at {newest}"
        )

    def plan(
        self,
        migrations: Sequence[Migration],
        *,
        contract: bool = False,
        living: Mapping[str, int] | None = None,
    ) -> tuple[Planned, ...]:
        """What `migrate` would do with each file that is not applied; changes nothing.

        Raises:
            MigrationError: An applied file was changed.
        """
        with self._connect() as connection:
            applied = self._verified(connection, migrations)
            speaking = self._speaking(connection, living)
        return tuple(
            Planned(file=each.file, phase=each.phase, refused=refused)
            for each, refused in _outstanding(migrations, applied, speaking, contract=contract)
        )

    def migrate(
        self,
        migrations: Sequence[Migration],
        *,
        contract: bool = False,
        living: Mapping[str, int] | None = None,
        progress: Progress = lambda migration, rows: None,
    ) -> tuple[Migration, ...]:
        """Apply what is not applied, up to the first contraction that is not asked for.

        Args:
            migrations: All of the schema, in order.
            contract: Whether to apply contractions too.
            living: Number of the last file that each living colour came with, 0 when it does not say; those
                who are connected are looked for besides. One that speaks an older version than a contraction
                leaves forbids it.
            progress: Told of each file and batch.

        Raises:
            MigrationError: A contraction is refused, a file fails, was changed, or another runner or session
                holds a lock for too long. What was applied before stays.
        """
        done = []
        with self._connect() as connection:
            self._lock(connection)
            self._prepare(connection)
            applied = self._verified(connection, migrations)
            speaking = self._speaking(connection, living)
            for migration, refused in _outstanding(migrations, applied, speaking, contract=contract):
                if refused is not None and contract:
                    raise MigrationError(f"{migration.file}: {refused}")
                if refused is not None:
                    break
                self._apply(connection, migration, progress)
                done.append(migration)
        return tuple(done)

    def _connect(self) -> Connection[tuple[object, ...]]:
        options = (
            f"-c search_path={self._schema},public -c statement_timeout={STATEMENT_TIMEOUT_S * 1000:.0f}"
        )
        try:
            return psycopg.connect(
                self._url,
                autocommit=True,
                options=options,
                connect_timeout=CONNECT_TIMEOUT_S,
                row_factory=tuple_row,
            )
        except psycopg.Error as failure:
            raise unavailable(self._url, CONNECT_TIMEOUT_S, failure) from None

    def _speaking(
        self, connection: Connection[tuple[object, ...]], living: Mapping[str, int] | None
    ) -> dict[str, int]:
        """Both witnesses together: the older version counts, a known one more than none."""
        speaking = dict(living or {})
        for who, version in self._speakers(connection).items():
            speaking[who] = min(version, speaking.get(who) or version)
        return speaking

    def _speakers(self, connection: Connection[tuple[object, ...]]) -> dict[str, int]:
        rows = connection.execute(
            "SELECT who[2], min(who[1]::int) FROM (SELECT regexp_match(application_name, %s) AS who"
            " FROM pg_stat_activity WHERE datname = current_database()) session"
            " WHERE who IS NOT NULL GROUP BY 1 ORDER BY 1",
            [rf"^{views_of(re.escape(self._schema), 0)[:-1]}(\d+) (\S+)"],
        ).fetchall()
        return {str(who): int(str(version)) for who, version in rows}

    def _lock(self, connection: Connection[tuple[object, ...]]) -> None:
        """Held until the connection closes, also by a kill."""
        deadline = time.monotonic() + LOCK_WAIT_S
        while True:
            row = connection.execute(
                "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [f"emily migrations {self._schema}"]
            ).fetchone()
            if row is not None and row[0]:
                return
            if time.monotonic() > deadline:
                raise MigrationError(f"{self._schema}: another runner migrates for over {LOCK_WAIT_S:g} s")
            time.sleep(FIRST_PAUSE_S)

    def _prepare(self, connection: Connection[tuple[object, ...]]) -> None:
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self._schema)))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migration (number integer PRIMARY KEY, file text NOT NULL,"
            " sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),"
            " seconds double precision NOT NULL)"
        )

    def _applied(self, connection: Connection[tuple[object, ...]]) -> dict[int, str]:
        exists = connection.execute("SELECT to_regclass(%s)", [f"{self._schema}.migration"]).fetchone()
        if exists is None or exists[0] is None:
            return {}
        rows = connection.execute("SELECT number, sha256 FROM migration").fetchall()
        return {int(str(number)): str(digest) for number, digest in rows}

    def _verified(
        self, connection: Connection[tuple[object, ...]], migrations: Sequence[Migration]
    ) -> dict[int, str]:
        applied = self._applied(connection)
        for migration in migrations:
            if applied.get(migration.number, migration.sha256) != migration.sha256:
                raise MigrationError(
                    f"{migration.file}: was changed after it was applied; restore it and add a new file"
                )
        return applied

    def _apply(
        self, connection: Connection[tuple[object, ...]], migration: Migration, progress: Progress
    ) -> None:
        connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT_S * 1000:.0f}ms'")
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"SET deadlock_timeout = '{DEADLOCK_TIMEOUT_S * 1000:.0f}ms'")
        progress(migration, 0)
        try:
            self._run(connection, migration, progress)
        except psycopg.Error as failure:
            raise MigrationError(f"{migration.file}: {failure}") from failure

    def _run(
        self, connection: Connection[tuple[object, ...]], migration: Migration, progress: Progress
    ) -> None:
        started = time.monotonic()

        def as_a_whole() -> None:
            with connection.transaction():
                connection.execute(migration.statements.encode())
                self._finish(connection, migration, started)

        def one_by_one() -> None:
            self._drop_invalid_indices(connection)
            for statement in filter(None, map(str.strip, migration.statements.split(";\n"))):
                connection.execute(statement.encode())

        def finished() -> None:
            with connection.transaction():
                self._finish(connection, migration, started)

        if migration.transactional:
            _patiently(migration, as_a_whole)
            return
        if migration.phase is Phase.BACKFILL:
            rows = 0
            while (changed := _patiently(migration, lambda: _changed(connection, migration))) > 0:
                rows += changed
                progress(migration, rows)
        else:
            _patiently(migration, one_by_one)
        _patiently(migration, finished)

    def _drop_invalid_indices(self, connection: Connection[tuple[object, ...]]) -> None:
        """Those that a failed CREATE INDEX CONCURRENTLY left behind."""
        rows = connection.execute(
            "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
            " WHERE NOT indisvalid AND relnamespace = %s::regnamespace",
            [self._schema],
        ).fetchall()
        for (index,) in rows:
            connection.execute(f"DROP INDEX CONCURRENTLY {index}".encode())

    def _finish(
        self, connection: Connection[tuple[object, ...]], migration: Migration, started: float
    ) -> None:
        if migration.views is not None:
            views = sql.Identifier(views_of(self._schema, migration.number))
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(views))
            connection.execute(
                sql.SQL("SET LOCAL search_path = {}, {}, public").format(views, sql.Identifier(self._schema))
            )
            connection.execute(migration.views.encode())
        connection.execute(
            sql.SQL(
                "INSERT INTO {}.migration (number, file, sha256, seconds) VALUES (%s, %s, %s, %s)"
            ).format(sql.Identifier(self._schema)),
            [migration.number, migration.file, migration.sha256, time.monotonic() - started],
        )


def _changed(connection: Connection[tuple[object, ...]], backfill: Migration) -> int:
    """Rows of one batch."""
    return connection.execute(backfill.statements.encode()).rowcount


def _patiently[T](migration: Migration, step: Callable[[], T]) -> T:
    """What a step gives, tried again after growing pauses while others hold what it has to lock.

    Raises:
        MigrationError: They do for too long.
    """
    pause = FIRST_PAUSE_S
    for _ in range(ATTEMPTS - 1):
        try:
            return step()
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
    try:
        return step()
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        raise MigrationError(
            f"{migration.file}: a table is locked by another session; end it and migrate again"
        ) from None


def _outstanding(
    migrations: Sequence[Migration],
    applied: Mapping[int, str],
    speaking: Mapping[str, int],
    *,
    contract: bool,
) -> Iterator[tuple[Migration, str | None]]:
    """What is not applied, and why it is refused: a file waits for those before it."""
    held = None
    for migration in migrations:
        if migration.number in applied:
            continue
        refused: str | None = f"waits for {held}"
        if held is None:
            refused = _refusal(migration, migrations, speaking, contract=contract)
            held = None if refused is None else migration.file
        yield migration, refused


def _refusal(
    migration: Migration, migrations: Sequence[Migration], speaking: Mapping[str, int], *, contract: bool
) -> str | None:
    """Why a migration must wait; none when it need not."""
    if migration.phase is not Phase.CONTRACT:
        return None
    older = [
        f"{who} (version {known or 'unknown'})"
        for who, known in sorted(speaking.items())
        if _older(known, migration, migrations)
    ]
    if older:
        return f"older colours live: {', '.join(older)}; stop them first"
    return None if contract else "a contraction; ask for it when no older colour is left"


def _older(known: int, contraction: Migration, migrations: Sequence[Migration]) -> bool:
    """Whether who came with the files up to `known` needs what a contraction removes."""
    if left := spoken(migrations, known=contraction.number):
        return spoken(migrations, known=known) < left
    return known < contraction.number
