"""What is said about flags over HTTP."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import msgspec
from emily_flags import Flag
from msgspec import Meta

from emily_flag_service.store.entry import Change

LONGEST_REASON = 1000
TEXT = r"^[^\x00]*$"
"""What PostgreSQL can keep."""


class FlagView(msgspec.Struct, frozen=True, kw_only=True):
    """A flag.

    Attributes:
        version: Rises by one with each change of this flag; also its ETag.
        enabled: Whether its kill switch is not thrown.
        kind: Of its variants.
        owner: Who answers for it.
        expires: The day by which it should be gone.
        expired: Whether that day is over.
        prerequisites: Variant that other flags must have, by their keys.
        definition: In the flagd schema.
    """

    key: str
    version: int
    enabled: bool
    kind: str
    owner: str
    expires: date | None
    expired: bool
    prerequisites: dict[str, str]
    definition: dict[str, Any]


class FlagList(msgspec.Struct, frozen=True, kw_only=True):
    """All flags.

    Attributes:
        revision: Rises by one with each change of any flag.
    """

    revision: int
    flags: tuple[FlagView, ...]


class FlagDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a flag is to be.

    Attributes:
        definition: In the flagd schema, with `metadata.owner` and `metadata.expires`.
        reason: Why; kept in its history.
    """

    definition: dict[str, Any]
    reason: Annotated[str, Meta(max_length=LONGEST_REASON, pattern=TEXT)] = ""


class FlagHistory(msgspec.Struct, frozen=True, kw_only=True):
    """The changes of a flag, newest first."""

    key: str
    changes: tuple[Change, ...]


def view(flag: Flag, version: int) -> FlagView:
    """A flag as it is shown."""
    return FlagView(
        key=flag.key,
        version=version,
        enabled=flag.enabled,
        kind=flag.kind,
        owner=flag.owner,
        expires=flag.expires,
        expired=flag.expired(),
        prerequisites=flag.prerequisites,
        definition=flag.definition,
    )
