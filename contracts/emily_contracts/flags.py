"""The replica of the flags that every service evaluates in process."""

from __future__ import annotations

from emily_contracts.envelope import Message


class FlagSnapshot(Message, frozen=True, kw_only=True):
    """All flags at one revision.

    Attributes:
        revision: Rises by one with each change.
        document: Flag definitions in the flagd JSON schema.
    """

    revision: int
    document: str
