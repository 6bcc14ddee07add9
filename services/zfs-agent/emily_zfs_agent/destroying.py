"""Destroys a snapshot that retention condemned, when it still is what was judged."""

from __future__ import annotations

from collections.abc import Iterable

from emily_zfs_agent.snapshot import Snapshot
from emily_zfs_agent.zfs import Zfs


def destroyed(zfs: Zfs, judged: Snapshot) -> bool:
    """Whether it was told to go; one that another took the name of, that is held or not ours stays.

    Raises:
        ZfsError: ZFS refused.
    """
    now = zfs.snapshot(judged.name)
    if now is None or now.guid != judged.guid or not now.own or now.userrefs > 0:
        return False
    zfs.destroy(judged.name)
    return True


def still_there(gone: Iterable[Snapshot], seen: Iterable[Snapshot]) -> tuple[Snapshot, ...]:
    """Those that are listed although ZFS said that they were destroyed."""
    there = {(each.name, each.guid) for each in seen}
    return tuple(each for each in gone if (each.name, each.guid) in there)
