"""How snapshots of a dataset get to another pool or machine: the words for bzfs, and how far it has come.

bzfs sends and receives, and marks what arrived with a bookmark on the source. That is the cursor: it says
how far replication has come, and the next increment begins there also when the snapshot itself is gone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from emily_zfs_agent.policy import Policy
from emily_zfs_agent.reading import Bookmark, Listing, lines
from emily_zfs_agent.snapshot import PREFIX, Snapshot

KEPT = 10
"""Bookmarks of each dataset: more than one, for a target that was put back to an older snapshot."""
LOGS = "bzfs-logs"
"""In the name of each folder for its logs; bzfs wants it."""
SSH_CONFIG = "bzfs_ssh_config"
"""Name of the file for ssh; bzfs wants it so."""
SSH_SETTINGS = """\
StrictHostKeyChecking yes
Include ~/.ssh/config
Include /etc/ssh/ssh_config
"""
"""What is set first holds: nobody's settings let a stream go to a host that is not known."""
_HOST = re.compile(r"([a-z_][A-Za-z0-9_-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*", re.ASCII)
_ABSENT = "-"
"""What bzfs calls a program that it is to do without."""


class Replication(msgspec.Struct, frozen=True, kw_only=True):
    """Where snapshots of a dataset are sent.

    Attributes:
        target: Dataset that receives them; made when it is missing.
        host: That it is on, as ssh takes it; this machine without it.
        keep: What is kept there; nothing is ever destroyed there without it.
    """

    target: str
    host: str = ""
    keep: Policy | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.target}" if self.host else self.target


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far replication has come.

    Attributes:
        at: Creation of the newest snapshot that arrived; of several datasets, of the one that is behind most.
        due: Whether a newer one is there.
        common: The name of that snapshot, behind the `@`.
        lag: How much newer the newest of that dataset is.
    """

    at: datetime | None
    due: bool
    common: str = ""
    lag: timedelta | None = None


def is_host(name: str) -> bool:
    """Whether it is a host, with a user or without, and no option of ssh."""
    return bool(_HOST.fullmatch(name))


def command(dataset: str, wish: Replication, *, recursive: bool, logs: Path) -> tuple[str, ...]:
    """The words for bzfs. None of them lets it destroy or roll back anything on the target."""
    return (
        *(sys.executable, "-m", "bzfs_main.bzfs", dataset, str(wish)),
        *(("--recursive",) if recursive else ()),
        f"--include-snapshot-regex={re.escape(PREFIX)}.*",
        "--create-bookmarks=hourly",  # which of ours means: of the last one that is sent
        "--zfs-recv-program-opts=-u -o readonly=on -o canmount=noauto",
        *((f"--ssh-dst-config-file={logs / SSH_CONFIG}",) if wish.host else ()),
        *("--no-privilege-elevation", "--quiet", f"--log-dir={logs}", "--retries=0"),
        *(f"--{each}-program={_ABSENT}" for each in ("mbuffer", "pv", "compression")),
    )


def look_at_target(wish: Replication) -> tuple[str, ...]:
    """The words for zfs that ask what is at the target now."""
    kinds = ("-t", "filesystem,volume,snapshot")
    return ("get", "-Hp", "-r", *kinds, "-o", "name,value", "receive_resume_token", wish.target)


def overwritable(written: str, targets: Iterable[str]) -> tuple[str, ...]:
    """Those of the targets that a first stream would overwrite, from what `look_at_target` was told.

    ZFS receives onto a dataset that has no snapshots as if it were empty, when told so, as bzfs does. One
    whose first stream was cut off has none either, but a token to go on with.
    """
    tokens = {name: token for name, token in lines(written) if "@" not in name}
    kept = {name.partition("@")[0] for name, _ in lines(written) if "@" in name}
    return tuple(each for each in targets if tokens.get(each) == "-" and each not in kept)


def progress(seen: Listing, bookmarks: Iterable[Bookmark]) -> Progress:
    """By the newest snapshot and the newest bookmark of each dataset."""
    marks = {dataset: found[0] for dataset, found in cursors(bookmarks).items()}
    newest: dict[str, Snapshot] = {}
    for each in seen.snapshots:
        if each.own and (each.dataset not in newest or newest[each.dataset].createtxg < each.createtxg):
            newest[each.dataset] = each
    due = any(name not in marks or marks[name].createtxg < each.createtxg for name, each in newest.items())
    if not newest or newest.keys() - marks.keys():
        return Progress(at=None, due=due)
    behind = min(newest, key=lambda name: marks[name].creation)
    at = marks[behind].creation
    lag = max(newest[behind].creation - at, timedelta())
    return Progress(at=at, due=due, common=marks[behind].snapshot, lag=lag)


def outlived(bookmarks: Iterable[Bookmark]) -> tuple[str, ...]:
    """Names of those that newer ones stand for."""
    return tuple(each.name for found in cursors(bookmarks).values() for each in found[KEPT:])


def cursors(bookmarks: Iterable[Bookmark]) -> dict[str, list[Bookmark]]:
    """Those that mark our snapshots, by dataset, newest first."""
    found: dict[str, list[Bookmark]] = {}
    for each in sorted(bookmarks, key=lambda each: each.createtxg, reverse=True):
        if each.short.startswith(PREFIX):
            found.setdefault(each.dataset, []).append(each)
    return found
