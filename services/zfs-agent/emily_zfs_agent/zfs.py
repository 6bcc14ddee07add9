"""Everything that we ever ask ZFS to do; nothing else of it can be reached from here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import batched

from emily_zfs_agent import capabilities, pools, reading
from emily_zfs_agent.capabilities import Capabilities
from emily_zfs_agent.commands import Commands
from emily_zfs_agent.errors import CommandFailed, Unreadable
from emily_zfs_agent.pools import PoolState
from emily_zfs_agent.reading import Bookmark, Listing, Property
from emily_zfs_agent.snapshot import POLICY_PROPERTY, Snapshot

_ABSENT = ("does not exist", "no such pool")
_AT_ONCE = 200
"""Names in one command; ssh passes all words of one as one."""


class Zfs:
    """The ZFS of a machine.

    Every method raises a `ZfsError` when ZFS does not do it.

    Args:
        commands: Of the machine.
        mark: The property that says which snapshots are ours.

    Attributes:
        capabilities: What it can do.
    """

    def __init__(self, commands: Commands, *, mark: str = POLICY_PROPERTY) -> None:
        self._commands = commands
        self._mark = mark
        self._facts = ("-Hp", "-o", reading.COLUMNS, f"{reading.FACTS},{mark}")
        self.capabilities: Capabilities = capabilities.found(commands)
        self._exact = ("-p",) if self.capabilities.exact_pools else ()

    def listing(self, dataset: str, *, recursive: bool = False) -> Listing:
        """A dataset with its snapshots, and those below it if recursive."""
        depth = ("-r",) if recursive else ("-d", "1")
        found = reading.listing(self._commands.zfs("get", *depth, *self._facts, dataset), self._mark)
        if recursive:
            return found
        own = tuple(each for each in found.snapshots if each.dataset == dataset)
        return Listing((dataset,), own, found.volumes & {dataset})

    def snapshot(self, name: str) -> Snapshot | None:
        """The snapshot of that name; none when there is none."""
        try:
            found = reading.listing(self._commands.zfs("get", *self._facts, name), self._mark).snapshots
        except CommandFailed as failure:
            if _says(failure, _ABSENT):
                return None
            raise
        if [each.name for each in found] != [name]:
            raise Unreadable(f"zfs get {name}: told of {[each.name for each in found]}")
        return found[0]

    def take(self, name: str, *, policy: str, recursive: bool) -> None:
        """Take a snapshot, and in the same instant those of all datasets below if recursive."""
        depth = ("-r",) if recursive else ()
        self._commands.zfs("snapshot", *depth, "-o", f"{self._mark}={policy}", name)

    def mark(self, names: Iterable[str], policy: str) -> None:
        """Say that snapshots are ours, and what they were taken for."""
        for some in batched(names, _AT_ONCE):
            self._commands.zfs("set", f"{self._mark}={policy}", *some)

    def destroy(self, name: str) -> None:
        """Destroy this one snapshot; ZFS refuses when it is held or a clone needs it."""
        if "@" not in name or "," in name or "%" in name:
            raise ValueError(f"name={name}: is not one snapshot; nothing else is ever destroyed")
        self._commands.zfs("destroy", name)

    def hold(self, tag: str, name: str, *, recursive: bool) -> None:
        """Keep a snapshot from being destroyed; done already is done."""
        if self._marked("hold", tag, name, recursive, done=("tag already exists",)) or not recursive:
            return
        dataset, _, short = name.partition("@")  # one had the tag, and ZFS holds all of them or none
        for each in self.listing(dataset, recursive=True).snapshots:
            if each.short == short:
                self.hold(tag, each.name, recursive=False)

    def release(self, tag: str, name: str, *, recursive: bool) -> None:
        """End a hold; done already is done, also when the snapshot is gone."""
        self._marked("release", tag, name, recursive, done=("no such tag", *_ABSENT))

    def tags(self, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Who holds each; empty where this ZFS does not tell."""
        held = tuple(names)
        if not held or not self.capabilities.tags:
            return {}
        return reading.tags(self._commands.zfs("holds", "-H", *held))

    def bookmarks(self, dataset: str, *, recursive: bool) -> tuple[Bookmark, ...]:
        """Those of a dataset, and of those below it if recursive."""
        depth = ("-r",) if recursive else ("-d", "1")
        columns = ("-o", "name,creation,createtxg,guid")
        return reading.bookmarks(
            self._commands.zfs("list", "-Hp", *columns, "-t", "bookmark", *depth, dataset)
        )

    def forget(self, bookmark: str) -> None:
        """Destroy a bookmark; no data goes with it."""
        if "#" not in bookmark or "@" in bookmark or "," in bookmark:
            raise ValueError(f"bookmark={bookmark}: is not one bookmark; nothing else is forgotten")
        self._commands.zfs("destroy", bookmark)

    def pool(self, name: str) -> PoolState:
        """How a pool is; one that is not there has the health `MISSING`."""
        try:
            listed = self._commands.zpool("list", "-H", *self._exact, "-o", pools.COLUMNS, name)
            status = self._commands.zpool("status", *self._exact, name)
        except CommandFailed as failure:
            if _says(failure, _ABSENT):
                return pools.missing(name)
            raise
        found = pools.listed(listed).get(name)
        if found is None:
            raise Unreadable(f"zpool list {name}: told of another: {listed[:200]!r}")
        return pools.with_status(found, status)

    def scrub(self, pool: str) -> None:
        """Begin to read a whole pool for damage."""
        self._commands.zpool("scrub", pool)

    def datasets(self, pool: str) -> frozenset[str] | None:
        """Filesystems and volumes of a pool; none when there is no such pool."""
        try:
            written = self._commands.zfs("list", "-H", "-o", "name", "-t", "filesystem,volume", "-r", pool)
        except CommandFailed as failure:
            if _says(failure, _ABSENT):
                return None
            raise
        return frozenset(columns[0] for columns in reading.lines(written))

    def properties(self, names: Iterable[str]) -> dict[str, dict[str, Property]]:
        """All properties of datasets, exact."""
        asked = tuple(names)
        if not asked:
            return {}
        return reading.properties(self._commands.zfs("get", "-Hp", "-o", reading.COLUMNS, "all", *asked))

    def clone(self, snapshot: str, name: str, properties: Mapping[str, str]) -> None:
        """Make a dataset that begins as the snapshot is."""
        options = [word for key, value in properties.items() for word in ("-o", f"{key}={value}")]
        self._commands.zfs("clone", *options, snapshot, name)

    def promote(self, clone: str) -> None:
        """Turn around who needs whom: the snapshots up to its origin go to the clone."""
        self._commands.zfs("promote", clone)

    def rename(self, dataset: str, name: str) -> None:
        """Give a dataset another name; ZFS refuses while it is mounted and used, or the name is taken."""
        self._commands.zfs("rename", dataset, name)

    def set(self, dataset: str, key: str, value: str) -> None:
        """Set a property."""
        self._commands.zfs("set", f"{key}={value}", dataset)

    def inherit(self, dataset: str, key: str) -> None:
        """Take a property from above again."""
        self._commands.zfs("inherit", key, dataset)

    def mount(self, dataset: str, *, readonly: bool = False) -> None:
        """Mount a filesystem where its properties say."""
        options = ("-o", "ro") if readonly else ()
        self._commands.zfs("mount", *options, dataset)

    def unmount(self, dataset: str) -> None:
        """Unmount a filesystem; ZFS refuses while it is used."""
        self._commands.zfs("unmount", dataset)

    def carry_out(self, command: tuple[str, ...]) -> None:
        """A `create` or `set` of a plan; nothing else is let through."""
        if command[0] not in ("create", "set"):
            raise ValueError(f"command={command}: a plan only creates datasets and sets properties")
        self._commands.zfs(*command)

    def _marked(self, verb: str, tag: str, name: str, recursive: bool, *, done: Iterable[str]) -> bool:
        """Whether it was done now; where not, one of the words says that it was done before."""
        depth = ("-r",) if recursive else ()
        try:
            self._commands.zfs(verb, *depth, tag, name)
        except CommandFailed as failure:
            if not _says(failure, done):
                raise
            return False
        return True


def _says(failure: CommandFailed, words: Iterable[str]) -> bool:
    return any(each in failure.words for each in words)
