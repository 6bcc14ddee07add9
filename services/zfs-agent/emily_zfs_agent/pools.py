"""How pools are: health, room, errors, and when each was last read for damage."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec

from emily_zfs_agent.errors import Unreadable
from emily_zfs_agent.reading import lines
from emily_zfs_agent.sizes import bytes_of

COLUMNS = "name,size,allocated,health"
ERRORS = ("read", "write", "checksum", "data")
HEALTHY = "ONLINE"
MISSING = "MISSING"
UNKNOWN = "UNKNOWN"

_ENDED = re.compile(r"scrub (?:repaired|completed).* on (\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4})")
_ROW = re.compile(r"(\s+)(\S+)\s+[A-Z]+\s+(\d\S*)\s+(\d\S*)\s+(\d\S*)")
_DATA = re.compile(r"errors: (?:(No known)|(\d\S*)) data errors")


class PoolState(msgspec.Struct, frozen=True, kw_only=True):
    """One pool now.

    Attributes:
        health: `ONLINE` when all is well; `MISSING` when there is no such pool,
            `UNKNOWN` while ZFS does not tell.
        scrubbed: End of the last whole scrub; none when none is known.
        busy: Whether it is scrubbed or resilvered now.
        errors: By kind: of reading, writing and checksums of its devices, and of data that is lost.
    """

    name: str
    health: str
    size: int = 0
    allocated: int = 0
    scrubbed: datetime | None = None
    busy: bool = False
    errors: dict[str, int] = {}

    @property
    def used(self) -> float:
        """Share of it that is allocated, 0 to 1."""
        return self.allocated / self.size if self.size else 0.0


def missing(name: str) -> PoolState:
    """A pool that should be there."""
    return PoolState(name=name, health=MISSING)


def listed(written: str) -> dict[str, PoolState]:
    """By name, from `zpool list -H -o name,size,allocated,health`, exact or rounded.

    Raises:
        Unreadable: A line is not like that.
    """
    found = {}
    for columns in lines(written):
        try:
            name, size, allocated, health = columns
            found[name] = PoolState(
                name=name,
                size=0 if size == "-" else bytes_of(size),
                allocated=0 if allocated == "-" else bytes_of(allocated),
                health=health,
            )
        except ValueError as failure:
            raise Unreadable(f"zpool list {COLUMNS}: {columns}: {failure}") from None
    return found


def with_status(pool: PoolState, written: str) -> PoolState:
    """The pool with what `zpool status` says of it, in UTC and English."""
    scan = re.search(r"^ *(?:scan|scrub): (.*)$", written, re.MULTILINE)
    words = scan[1] if scan else ""
    ended = _ENDED.search(words)
    return msgspec.structs.replace(
        pool,
        busy="in progress" in words,
        scrubbed=None if ended is None else _moment(ended[1]),
        errors=_errors(written),
    )


def _errors(written: str) -> dict[str, int]:
    """Summed over the devices, which are the rows with none further in below them."""
    _, _, config = written.partition("config:")
    config, _, _ = config.partition("\nerrors:")
    rows = [found for line in config.splitlines() if (found := _ROW.match(line))]
    depths = [len(row[1].expandtabs()) for row in rows] + [0]
    devices = [row for row, own, following in zip(rows, depths, depths[1:], strict=False) if following <= own]
    sums = {kind: sum(bytes_of(row[column]) for row in devices) for column, kind in enumerate(ERRORS[:3], 3)}
    data = _DATA.search(written)
    return {**sums, "data": 0 if data is None or data[1] else bytes_of(data[2])}


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except ValueError:
        raise Unreadable(f"zpool status: {text!r} is no time of a scrub") from None
