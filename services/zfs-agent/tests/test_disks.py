"""Disks of a real pool fail, are replaced and fill up as we tell people they do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from emily_zfs_agent.board import Board
from emily_zfs_agent.commands import Commands
from emily_zfs_agent.desired import parsed
from emily_zfs_agent.metrics import Metrics
from emily_zfs_agent.testing import disk, pool
from emily_zfs_agent.zfs import Zfs
from prometheus_client import CollectorRegistry

MIB = 1024**2


class Watched:
    """What the metrics say of a pool with a dataset that is mounted at `at`."""

    def __init__(self, zfs: Zfs, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self._zfs = zfs
        self._board = Board(parsed(f"[pools.{name}]\n[datasets]"))
        self._registry = CollectorRegistry()
        Metrics(self._registry, self._board)
        self.run = Commands(50).zpool

    def metric(self, name: str, **labels: str) -> float | None:
        self._board.saw_pool(self._zfs.pool(self.name))
        return self._registry.get_sample_value(f"emily_zfs_agent_{name}", {"pool": self.name, **labels})

    def data(self, name: str, **properties: str) -> Path:
        """Where a new dataset is mounted."""
        at = self.folder / name
        options = [word for key, value in properties.items() for word in ("-o", f"{key}={value}")]
        Commands().zfs("create", "-o", f"mountpoint={at}", *options, f"{self.name}/{name}")
        return at

    def allocated(self, member: str) -> int:
        """Bytes on the mirror that a disk is in."""
        self.run("sync", self.name)
        on_mirror = 0
        for row in map(str.split, self.run("list", "-vHpP", self.name).splitlines()):
            if row[0].startswith("mirror"):
                on_mirror = int(row[2])
            elif row[0] == str(self.folder / member):
                return on_mirror
        raise LookupError(member)


@pytest.fixture
def watched(openzfs: Zfs, tmp_path: Path) -> Iterator[Watched]:
    """A mirror of `a` and `b`, and a special one of `c` and `d`."""
    with pool(tmp_path, "mirror a b special mirror c d") as name:
        yield Watched(openzfs, name, tmp_path)


def test_a_disk_that_fails_is_told_and_its_replacement_makes_the_pool_whole(watched: Watched) -> None:
    data = watched.data("data")
    before, since = os.urandom(8 * MIB), os.urandom(8 * MIB)
    (data / "before").write_bytes(before)
    assert watched.metric("pool_healthy") == 1
    watched.run("offline", "-f", watched.name, str(watched.folder / "b"))
    (data / "since").write_bytes(since)
    assert watched.metric("pool_healthy") == 0
    new = disk(watched.folder, "new")
    watched.run("replace", watched.name, str(watched.folder / "b"), str(new))
    watched.run("wait", "-t", "resilver", watched.name)
    assert watched.metric("pool_healthy") == 1
    watched.run("offline", watched.name, str(watched.folder / "a"))
    watched.run("export", watched.name)
    watched.run("import", "-d", str(watched.folder), watched.name)
    assert [(data / name).read_bytes() for name in ("before", "since")] == [before, since]


def test_a_disk_that_is_away_for_a_while_catches_up(watched: Watched) -> None:
    data = watched.data("data")
    disk_b = str(watched.folder / "b")
    watched.run("offline", watched.name, disk_b)
    (data / "since").write_bytes(os.urandom(8 * MIB))
    assert watched.metric("pool_healthy") == 0
    watched.run("online", watched.name, disk_b)
    watched.run("wait", "-t", "resilver", watched.name)
    assert watched.metric("pool_healthy") == 1


def test_damage_on_a_disk_is_found_by_a_scrub_counted_and_repaired(watched: Watched) -> None:
    data = watched.data("data")
    content = os.urandom(32 * MIB)
    (data / "file").write_bytes(content)
    watched.run("sync", watched.name)
    with (watched.folder / "a").open("r+b") as damaged:
        damaged.seek(8 * MIB)
        damaged.write(os.urandom(64 * MIB))
    watched.run("scrub", "-w", watched.name)
    assert watched.metric("pool_errors", kind="checksum") != 0
    assert watched.metric("pool_errors", kind="data") == 0
    assert watched.metric("scrub_age_seconds") != float("inf")
    watched.run("clear", watched.name)
    watched.run("scrub", "-w", watched.name)
    assert watched.metric("pool_errors", kind="checksum") == 0
    assert (data / "file").read_bytes() == content


def test_only_small_blocks_go_to_the_special_vdev(watched: Watched) -> None:
    data = watched.data("data", recordsize="128K", special_small_blocks="32K", compression="off")
    normal, special = watched.allocated("a"), watched.allocated("c")
    (data / "large").write_bytes(os.urandom(16 * MIB))
    assert watched.allocated("a") - normal >= 16 * MIB
    assert watched.allocated("c") - special < MIB
    normal, special = watched.allocated("a"), watched.allocated("c")
    for number in range(256):
        (data / f"small{number}").write_bytes(os.urandom(16 * 1024))
    assert watched.allocated("a") - normal < MIB
    assert watched.allocated("c") - special >= 4 * MIB


def test_small_blocks_as_large_as_records_take_all_data_to_the_special_vdev(watched: Watched) -> None:
    data = watched.data("data", recordsize="128K", special_small_blocks="128K", compression="off")
    normal, special = watched.allocated("a"), watched.allocated("c")
    (data / "large").write_bytes(os.urandom(16 * MIB))
    assert watched.allocated("a") - normal < MIB
    assert watched.allocated("c") - special >= 16 * MIB
