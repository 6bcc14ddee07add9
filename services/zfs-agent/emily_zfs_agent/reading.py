"""Reads what `zfs` and `zpool` write; what does not look as it should is an error, never a guess."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from emily_zfs_agent.errors import Unreadable
from emily_zfs_agent.snapshot import POLICY_PROPERTY, Snapshot

COLUMNS = "name,property,source,value"
"""The value last: it may hold anything."""
FACTS = "type,creation,createtxg,guid,userrefs,used"


class Property(NamedTuple):
    """A value, and where it comes from: `local`, `default`, `inherited from ...`, `received`, `-`."""

    value: str
    source: str


VOLUME = Property("volume", "-")
"""The type of what is a block device and holds no files."""


class Bookmark(NamedTuple):
    """What is left of a snapshot to send increments from.

    Attributes:
        name: `DATASET#SHORT`.
        creation: Of the snapshot, in UTC.
        createtxg: Of the snapshot.
        guid: Of the snapshot, the same on every pool that it was sent to.
    """

    name: str
    creation: datetime
    createtxg: int
    guid: str

    @property
    def dataset(self) -> str:
        """That it is of."""
        return self.name.partition("#")[0]

    @property
    def short(self) -> str:
        """The name behind the `#`."""
        return self.name.partition("#")[2]

    @property
    def snapshot(self) -> str:
        """The name that its snapshot had behind the `@`; bzfs adds a number to it."""
        return self.short.rpartition("_")[0] or self.short


class Listing(NamedTuple):
    """What there is.

    Attributes:
        datasets: Names, of filesystems and volumes.
        snapshots: Of them, as listed.
        volumes: Those of the datasets that are block devices and hold no files.
    """

    datasets: tuple[str, ...]
    snapshots: tuple[Snapshot, ...]
    volumes: frozenset[str] = frozenset()


def properties(written: str) -> dict[str, dict[str, Property]]:
    """By name and property, from `zfs get -Hp -o name,property,source,value`."""
    found: dict[str, dict[str, Property]] = {}
    for line in written.splitlines():
        parts = line.split("\t", 3)
        if len(parts) != 4:
            raise Unreadable(f"zfs get: {line[:200]!r} has not the columns {COLUMNS}")
        name, key, source, value = parts
        found.setdefault(name, {})[key] = Property(value, source)
    return found


def listing(written: str, mark: str = POLICY_PROPERTY) -> Listing:
    """Datasets and snapshots, from `zfs get` of `FACTS` and of the property that marks ours."""
    found = properties(written)
    return Listing(
        datasets=tuple(name for name in found if "@" not in name and "#" not in name),
        snapshots=tuple(_snapshot(name, facts, mark) for name, facts in found.items() if "@" in name),
        volumes=frozenset(name for name, facts in found.items() if facts.get("type") == VOLUME),
    )


def bookmarks(written: str) -> tuple[Bookmark, ...]:
    """From `zfs list -Hp -o name,creation,createtxg,guid`."""
    found = []
    for columns in lines(written):
        try:
            name, creation, createtxg, guid = columns
            at = datetime.fromtimestamp(int(creation), UTC)
            found.append(Bookmark(name, at, int(createtxg), str(int(guid))))
        except (ValueError, OverflowError, OSError) as failure:
            raise Unreadable(f"zfs list of bookmarks: {columns}: {failure}") from None
    return tuple(found)


def tags(written: str) -> dict[str, tuple[str, ...]]:
    """By snapshot, who holds it, from `zfs holds -H`."""
    found: dict[str, tuple[str, ...]] = {}
    for line in written.splitlines():
        parts = line.split("\t")
        if len(parts) != 3:
            raise Unreadable(f"zfs holds: {line[:200]!r} has not the columns name, tag, time")
        found[parts[0]] = (*found.get(parts[0], ()), parts[1])
    return found


def _snapshot(name: str, facts: dict[str, Property], mark: str) -> Snapshot:
    policy = facts.get(mark, Property("-", "-"))
    try:
        return Snapshot(
            name=name,
            creation=datetime.fromtimestamp(int(facts["creation"].value), UTC),
            createtxg=int(facts["createtxg"].value),
            guid=str(int(facts["guid"].value)),
            userrefs=int(facts["userrefs"].value),
            used=int(facts["used"].value),
            policy=policy.value if policy.source == "local" else "",
        )
    except (KeyError, ValueError, OverflowError, OSError) as failure:
        raise Unreadable(f"zfs get {FACTS} {name}: {type(failure).__name__} {failure}") from None


def lines(written: str) -> Iterator[list[str]]:
    """The columns of each line of `-H` output."""
    return (line.split("\t") for line in written.splitlines() if line)
