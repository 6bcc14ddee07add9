"""Holds on a real pool: of all or of one, asked once or twice."""

from __future__ import annotations

import pytest
from emily_zfs_agent.commands import Commands
from emily_zfs_agent.errors import CommandFailed
from emily_zfs_agent.testing import Recorded
from emily_zfs_agent.zfs import Zfs

TAG = "emily:backup"


def holds(zfs: Zfs, dataset: str) -> list[int]:
    return [each.userrefs for each in zfs.listing(dataset, recursive=True).snapshots]


def test_a_held_snapshot_can_not_be_destroyed(dataset: str) -> None:
    zfs = Zfs(Commands())
    zfs.take(f"{dataset}@emily-1", policy="on request", recursive=False)
    zfs.hold(TAG, f"{dataset}@emily-1", recursive=False)
    with pytest.raises(CommandFailed, match=r"busy|being held"):
        zfs.destroy(f"{dataset}@emily-1")
    zfs.release(TAG, f"{dataset}@emily-1", recursive=False)
    zfs.destroy(f"{dataset}@emily-1")
    assert zfs.snapshot(f"{dataset}@emily-1") is None


def test_all_below_are_held_also_where_one_was_before(dataset: str) -> None:
    zfs, name = Zfs(Commands()), f"{dataset}@emily-1"
    zfs.take(name, policy="on request", recursive=True)
    zfs.hold(TAG, name, recursive=False)
    assert holds(zfs, dataset) == [1, 0]
    for _ in range(2):
        zfs.hold(TAG, name, recursive=True)
        assert holds(zfs, dataset) == [1, 1]
    for _ in range(2):
        zfs.release(TAG, name, recursive=True)
        assert holds(zfs, dataset) == [0, 0]
    zfs.release(TAG, f"{dataset}@emily-none", recursive=False)


def test_who_holds_is_told_where_zfs_tells_it(recorded: Recorded) -> None:
    recorded.answers("zfs holds -H tank/a@x", "tank/a@x\temily:b\tFri Nov 27  2:29 2026\n")
    assert Zfs(Commands()).tags(["tank/a@x"]) == {"tank/a@x": ("emily:b",)}
    assert Zfs(Commands()).tags([]) == {}


def test_openzfs_is_asked_for_exact_pools(recorded: Recorded) -> None:
    recorded.answers("zpool list -H -p -o name,size,allocated,health tank", "tank\t400\t100\tDEGRADED\n")
    recorded.answers("zpool status -p tank", "  scan: none requested\n")
    assert (Zfs(Commands()).pool("tank").used, Zfs(Commands()).pool("tank").health) == (0.25, "DEGRADED")
