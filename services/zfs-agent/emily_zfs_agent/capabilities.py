"""What the installed ZFS can do, found out by asking it."""

from __future__ import annotations

import re

import msgspec

from emily_zfs_agent.commands import Commands
from emily_zfs_agent.errors import CommandFailed, Unreadable

FIRST_WITH_HOLDS = 18
"""The pool version."""


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What can be asked of it.

    Attributes:
        version: As it calls itself.
        exact_pools: Sizes and errors of pools to the last digit.
        holds: A snapshot can be kept from being destroyed.
        tags: It tells who holds one.
        bookmarks: It remembers a snapshot that is gone, so that increments can be sent.
    """

    version: str
    exact_pools: bool = True
    holds: bool = True
    tags: bool = True
    bookmarks: bool = True

    def lost(self) -> tuple[str, ...]:
        """What is missing, in words."""
        missing = {
            "sizes and errors of pools are rounded": self.exact_pools,
            "snapshots can't be held, so that no backup can read one in peace": self.holds,
            "how often a snapshot is held is known, but not by whom": self.tags,
            "nothing can be replicated": self.bookmarks,
        }
        return tuple(words for words, there in missing.items() if not there)


def found(commands: Commands) -> Capabilities:
    """Those of the ZFS on this machine.

    Raises:
        ZfsError: It can't be asked.
    """
    try:
        first = commands.zfs("version").split("\n", 1)[0].strip()
    except CommandFailed:  # older than the command
        return _by_pool_version(commands.zpool("upgrade", "-v"))
    return Capabilities(version=first.removeprefix("zfs-") or "unknown")


def _by_pool_version(told: str) -> Capabilities:
    if "feature flags" in told:
        return Capabilities(version="OpenZFS before 0.8", exact_pools=False)
    number = re.search(r"ZFS pool version (\d+)", told)
    if number is None:
        raise Unreadable(f"zpool upgrade -v: names no version: {told[:200]!r}")
    version = int(number[1])
    return Capabilities(
        version=f"pool version {version}",
        exact_pools=False,
        holds=version >= FIRST_WITH_HOLDS,
        tags=False,
        bookmarks=False,
    )
