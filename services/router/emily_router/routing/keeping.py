"""Where the routing table is kept: in a file beside the journal, and in the database when there is one.

With a database a table holds once it is recorded there; the file is what the router starts from while the
database is away, and what counts when the database was restored from before. Without one it is all there is.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import anyio.to_thread
import msgspec
from emily_contracts.routing import RoutingTable
from emily_runtime.checkpoint import write_atomically
from emily_runtime.logs import get_logger

from emily_router.errors import RecordAway, TableUnreadable, TableUnwritable
from emily_router.routing.record import Record

_log = get_logger(__name__)


class _Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the file holds: the table, and the SHA-256 that tells whether it is whole."""

    table: RoutingTable
    sha256: str


class Keeper:
    """Keeps one routing table.

    Args:
        file: That is replaced with each change.
        record: In the database; none when there is no database.
        first: Colour that is active before the first change.

    Attributes:
        behind: Why the table may be older than that of the database; empty when it can't be.
    """

    def __init__(self, file: Path, record: Record | None, *, first: str) -> None:
        self._file = file
        self._record = record
        self._first = first
        self.behind = ""

    async def load(self) -> RoutingTable:
        """The table that holds.

        Raises:
            TableUnreadable: The file is torn or malformed; it is not guessed what it said.
        """
        kept = await anyio.to_thread.run_sync(_read, self._file)
        table = kept or RoutingTable(version=0, active=self._first)
        if self._record is None:
            return table
        try:
            recorded = await self._record.newest()
        except RecordAway as away:
            if not self.behind:
                _log.warning("goes by the routing table on disk", version=table.version, reason=str(away))
            self.behind = str(away)
            return table
        self.behind = ""
        if recorded is None or recorded.version <= table.version:
            return table
        await anyio.to_thread.run_sync(_write, self._file, recorded)
        return recorded

    async def replace(self, table: RoutingTable, *, author: str, reason: str) -> None:
        """Keep a table in place of the one before it.

        Raises:
            Outdated: The database has another one by now.
            RecordAway: The database can't be asked.
            TableUnwritable: The file can't be written, and there is no database that has it.
        """
        if self._record is not None:
            await self._record.replace(table, author=author, reason=reason)
        try:
            await anyio.to_thread.run_sync(_write, self._file, table)
        except OSError as failure:
            if self._record is None:
                raise TableUnwritable(f"{self._file}: {failure.strerror}; nothing was changed") from None
            _log.error(
                "routing table not on disk; it is in the database", path=str(self._file), reason=str(failure)
            )


def _read(file: Path) -> RoutingTable | None:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as failure:
        raise TableUnreadable(f"{file}: {failure.strerror}") from None
    try:
        kept = msgspec.json.decode(data, type=_Kept)
    except msgspec.DecodeError as failure:
        raise TableUnreadable(f"{file}: {failure}; restore it, or remove it to begin anew") from None
    if kept.sha256 != _digest(kept.table):
        raise TableUnreadable(f"{file}: its digest does not match; restore it, or remove it to begin anew")
    return kept.table


def _write(file: Path, table: RoutingTable) -> None:
    write_atomically(file, msgspec.json.encode(_Kept(table=table, sha256=_digest(table))))


def _digest(table: RoutingTable) -> str:
    return hashlib.sha256(msgspec.json.encode(table)).hexdigest()
