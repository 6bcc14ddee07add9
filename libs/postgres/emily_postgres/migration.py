"""Migrations as files: what they are, in which order, and that nobody changed one that was applied.

A folder holds `NNNN_name.PHASE.sql`, numbered from 1 without gaps, and `views/NNNN.sql` for the schema
versions that have views. Code speaks the newest version that has views among the files that it came with.
The phases let two colours share one database:

- expand: adds what the new version needs; the old one goes on as before.
- backfill: one statement that is repeated, a commit each time, until it changes no row; resumable.
- contract: removes what only older versions needed, their views among it; refused while a colour that
  speaks an older version lives.

A file whose first line is `-- no-transaction` runs statement by statement, as CREATE INDEX CONCURRENTLY
needs. Such a file must bear being run again.
"""

from __future__ import annotations

import enum
import hashlib
import re
from collections.abc import Iterable
from importlib.resources.abc import Traversable

import msgspec

from emily_postgres.errors import MigrationError

_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.(expand|backfill|contract)\.sql")
_NO_TRANSACTION = "-- no-transaction"


class Phase(enum.Enum):
    """Which part of a change a migration is."""

    EXPAND = "expand"
    BACKFILL = "backfill"
    CONTRACT = "contract"


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """One file.

    Attributes:
        views: Of the schema version that the file completes; none when it has none.
    """

    number: int
    name: str
    phase: Phase
    statements: str
    views: str | None = None

    @property
    def file(self) -> str:
        """Its name."""
        return f"{self.number:04}_{self.name}.{self.phase.value}.sql"

    @property
    def sha256(self) -> str:
        """Of its statements and its views."""
        return hashlib.sha256((self.statements + (self.views or "")).encode()).hexdigest()

    @property
    def transactional(self) -> bool:
        """Whether it runs as a whole or not at all."""
        return self.phase is not Phase.BACKFILL and not self.statements.startswith(_NO_TRANSACTION)


def views_of(schema: str, version: int) -> str:
    """Name of the schema that holds the views of a version."""
    return f"{schema}_v{version}"


def spoken(migrations: Iterable[Migration], *, known: int | None = None) -> int:
    """The version that code speaks; 0 when there are no views.

    Args:
        migrations: All of a schema.
        known: Number of the last file that the code came with; all by default.
    """
    return max(
        (each.number for each in migrations if each.views and (known is None or each.number <= known)),
        default=0,
    )


def load(folder: Traversable) -> tuple[Migration, ...]:
    """The migrations of a folder in their order.

    Raises:
        MigrationError: A name does not fit, a number is missing or there twice, or views are of no file.
    """
    files = _listed(folder)
    views = {file.name: file for file in _listed(folder / "views")}
    migrations = []
    for expected, file in enumerate(files, start=1):
        match = _NAME.fullmatch(file.name)
        if match is None:
            raise MigrationError(
                f"{file.name}: name it NNNN_name.PHASE.sql, PHASE expand, backfill or contract"
            )
        number = int(match[1])
        if number != expected:
            raise MigrationError(f"{file.name}: number {expected:04} is expected here")
        own = views.pop(f"{number:04}.sql", None)
        migrations.append(
            Migration(
                number=number,
                name=match[2],
                phase=Phase(match[3]),
                statements=file.read_text(encoding="utf-8"),
                views=None if own is None else own.read_text(encoding="utf-8"),
            )
        )
    if views:
        raise MigrationError(f"views/{min(views)}: there is no migration of this number")
    return tuple(migrations)


def _listed(folder: Traversable) -> list[Traversable]:
    """SQL files by name; none when there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda f: f.name)
