"""What can go wrong with a change of flags."""

from __future__ import annotations


class FlagServiceError(Exception):
    """Base of the flag-service's errors."""


class NoSuchFlag(FlagServiceError):
    """There is none of that key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"there is no flag {key!r}")


class Outdated(FlagServiceError):
    """Somebody else changed the flag first.

    Attributes:
        version: That it has now; 0 when there is none.
    """

    def __init__(self, key: str, expected: int, version: int) -> None:
        def worded(number: int) -> str:
            return f"version {number}" if number else "not there"

        super().__init__(
            f"{key}: expected {worded(expected)}, but it is {worded(version)}; look at it and change it again"
        )
        self.version = version


class Closed(FlagServiceError):
    """The service is starting or stopping, or its database is away."""
