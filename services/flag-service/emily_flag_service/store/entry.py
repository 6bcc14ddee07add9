"""What the database knows of one flag, and of one change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec
from emily_flags import Flag

type Action = Literal["created", "changed", "deleted", "loaded"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One flag.

    Attributes:
        version: Rises by one with each change of this flag.
        definition: None when it was deleted.
        loaded: As the file last said that brought it; none when no file did.
    """

    key: str
    version: int
    definition: dict[str, Any] | None
    loaded: dict[str, Any] | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change of one flag.

    Attributes:
        revision: Of all flags after it.
        version: Of the flag after it.
        author: Whose token made it, or the file.
        before: Definition; none when there was none.
        after: Definition; none when it was deleted.
    """

    revision: int
    at: datetime
    key: str
    version: int
    action: str
    author: str
    reason: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def due(entries: Mapping[str, Entry], files: Mapping[str, Flag]) -> tuple[list[Flag], list[str]]:
    """Which flags of files to take over, and the keys of those that people changed and so keep.

    A file is taken over when it says something new and nobody changed or deleted the flag since it last was.
    """
    taken, kept = [], []
    for key, flag in files.items():
        entry = entries.get(key)
        if entry is None or (entry.loaded != flag.definition and entry.definition == entry.loaded):
            taken.append(flag)
        elif entry.loaded != flag.definition:
            kept.append(key)
    return taken, kept
