"""Applies migrations to one schema: one runner at a time, each file once, in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec
import psycopg
from psycopg import Connection, sql
from psycopg.rows import tuple_row

from emily_postgres.errors import MigrationError
from emily_postgres.migration import Migration, Phase

LOCK_WAIT_S = 60.0
LOCK_TIMEOUT_S = 2.0
ATTEMPTS = 8
FIRST_PAUSE_S = 0.1
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

    Raises:
        psycopg.OperationalError: No connection.
    """

    def __init__(self, url: str, schema: str) -> None:
        self._url = url
        self._schema = schema

    def version(self) -> int:
        """Number of the last applied migration; 0 before the first."""
        with self._connect() as connection:
            return max(self._applied(connection), default=0)

    def plan(
        self, migrations: Sequence[Migration], *, contract: bool = False, blockers: Sequence[str] = ()
    ) -> tuple[Planned, ...]:
        """What `migrate` would do; changes nothing.

        Raises:
            MigrationError: An applied file was changed, or is missing.
        """
        with self._connect() as connection:
            applied = self._verified(connection, migrations)
        return tuple(
            Planned(file=each.file, phase=each.phase, refused=_refusal(each, contract, blockers))
            for each in migrations
            if each.number not in applied
        )

    def migrate(
        self,
        migrations: Sequence[Migration],
        *,
        contract: bool = False,
        blockers: Sequence[str] = (),
        progress: Progress = lambda migration, rows: None,
    ) -> tuple[Migration, ...]:
        """Apply what is not applied, up to the first contraction that is not asked for.

        Args:
            migrations: All of the schema, in order.
            contract: Whether to apply contractions too.
            blockers: Living colours of an older version; they forbid contractions.
            progress: Told of each file and batch.

        Raises:
            MigrationError: A contraction is blocked, a file fails, was changed, or another runner or session
                holds a lock for too long. What was applied before stays.
        """
        done = []
        with self._connect() as connection:
            self._lock(connection)
            self._prepare(connection)
            applied = self._verified(connection, migrations)
            for migration in migrations:
                if migration.number in applied:
                    continue
                if migration.phase is Phase.CONTRACT and not contract:
                    break
                refusal = _refusal(migration, contract, blockers)
                if refusal is not None:
                    raise MigrationError(f"{migration.file}: {refusal}")
                self._apply(connection, migration, progress)
                done.append(migration)
        return tuple(done)

    def _connect(self) -> Connection[tuple[object, ...]]:
        options = (
            f"-c search_path={self._schema},public -c statement_timeout={STATEMENT_TIMEOUT_S * 1000:.0f}"
        )
        return psycopg.connect(
            self._url, autocommit=True, options=options, connect_timeout=10, row_factory=tuple_row
        )

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
        pause = FIRST_PAUSE_S
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._run(connection, migration, progress)
            except psycopg.errors.LockNotAvailable:
                if attempt == ATTEMPTS:
                    raise MigrationError(
                        f"{migration.file}: a table is locked by another session; end it and migrate again"
                    ) from None
                time.sleep(pause)
                pause *= 2
            except psycopg.Error as failure:
                raise MigrationError(f"{migration.file}: {failure}") from failure
            else:
                return

    def _run(
        self, connection: Connection[tuple[object, ...]], migration: Migration, progress: Progress
    ) -> None:
        started = time.monotonic()
        connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT_S * 1000:.0f}ms'")
        progress(migration, 0)
        if migration.transactional:
            with connection.transaction():
                connection.execute(migration.statements.encode())
                self._finish(connection, migration, started)
            return
        if migration.phase is Phase.BACKFILL:
            rows = 0
            while (changed := connection.execute(migration.statements.encode()).rowcount) > 0:
                rows += changed
                progress(migration, rows)
        else:
            self._drop_invalid_indices(connection)
            for statement in filter(None, map(str.strip, migration.statements.split(";\n"))):
                connection.execute(statement.encode())
        with connection.transaction():
            self._finish(connection, migration, started)

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
            views = sql.Identifier(f"{self._schema}_v{migration.number}")
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


def _refusal(migration: Migration, contract: bool, blockers: Sequence[str]) -> str | None:
    if migration.phase is not Phase.CONTRACT:
        return None
    if not contract:
        return "a contraction; ask for it when no older colour is left"
    return f"older colours live: {', '.join(blockers)}; stop them first" if blockers else None
