"""What can be wrong with flags, in words that name the flag and the field."""

from __future__ import annotations


class FlagsError(Exception):
    """Something about flags."""


class InvalidFlag(FlagsError):
    """A definition can't be used; nothing was changed.

    Attributes:
        flag: Its key; empty when it is the document.
        field: Path of what is at fault, such as `targeting.if[1]`; empty for the whole.
        reason: What is wrong, and what to write.
        source: The file that it stands in; empty when it is none.
    """

    def __init__(self, flag: str, field: str, reason: str, *, source: str = "") -> None:
        self.flag = flag
        self.field = field
        self.reason = reason
        self.source = source
        parts = (source, f"flags.{flag}" if flag else "", field)
        super().__init__(": ".join([*filter(None, (parts[0], ".".join(filter(None, parts[1:])))), reason]))

    def of(self, source: str) -> InvalidFlag:
        """The same, of a file."""
        return InvalidFlag(self.flag, self.field, self.reason, source=source)
