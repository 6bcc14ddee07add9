"""Names of pools, datasets, snapshots and tags, before they become arguments of a command."""

from __future__ import annotations

import re
from collections.abc import Collection

from emily_zfs_agent.errors import Refused

LONGEST = 255
HOLD_PREFIX = "emily:"
"""Of the tags that we hold with, so that we never release what others hold."""

_COMPONENT = r"[A-Za-z0-9][A-Za-z0-9_.:-]*"
_POOL = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]*", re.ASCII)
_DATASET = re.compile(rf"[A-Za-z][A-Za-z0-9_.:-]*(/{_COMPONENT})*", re.ASCII)
_SHORT = re.compile(_COMPONENT, re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)


def is_pool(name: str) -> bool:
    """Whether a pool can be called so."""
    return bool(_POOL.fullmatch(name)) and len(name) <= LONGEST


def is_dataset(name: str) -> bool:
    """Whether a dataset can be called so, by the letters that we let through."""
    return bool(_DATASET.fullmatch(name)) and len(name) <= LONGEST


def pool_of(dataset: str) -> str:
    """The pool that a dataset is in."""
    return dataset.partition("/")[0]


def parents(dataset: str) -> tuple[str, ...]:
    """The datasets above it, nearest first."""
    parts = dataset.split("/")
    return tuple("/".join(parts[:length]) for length in range(len(parts) - 1, 0, -1))


def require_dataset(name: str, pools: Collection[str]) -> None:
    """Let only datasets of declared pools through.

    Raises:
        Refused: It is no name, or of another pool.
    """
    if not is_dataset(name):
        raise Refused(f"dataset={name!r}: is no name of a dataset; write POOL/NAME")
    if pool_of(name) not in pools:
        raise Refused(
            f"dataset={name}: is in no declared pool; the desired state declares {', '.join(sorted(pools))}"
        )


def require_snapshot(name: str, pools: Collection[str]) -> None:
    """Let only snapshots in declared pools through.

    Raises:
        Refused: It is no name, or of another pool.
    """
    dataset, _, short = name.partition("@")
    if not _SHORT.fullmatch(short) or len(name) > LONGEST:
        raise Refused(f"snapshot={name!r}: is no name of a snapshot; write POOL/NAME@SNAPSHOT")
    require_dataset(dataset, pools)


def hold_tag(tag: str) -> str:
    """The tag as ZFS gets it.

    Raises:
        Refused: It is none.
    """
    if not _TAG.fullmatch(tag):
        raise Refused(f"tag={tag!r}: is no tag; write letters, digits, '.', '_' and '-', 128 at most")
    return HOLD_PREFIX + tag
