"""What can go wrong between a wish and a pool."""

from __future__ import annotations

from collections.abc import Sequence


class DesiredStateError(Exception):
    """The desired state can't be used; the message lists everything that is wrong with it."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(f"{len(problems)} wrong in the desired state:\n  " + "\n  ".join(problems))
        self.problems = tuple(problems)


class ZfsError(Exception):
    """ZFS did not do what it was asked for."""


class ZfsMissing(ZfsError):
    """There is no `zfs` or `zpool` on this machine."""


class CommandFailed(ZfsError):
    """A command ended with an error; the message holds it and zfs's own words.

    Attributes:
        words: Of zfs.
    """

    def __init__(self, command: Sequence[str], code: int, words: str) -> None:
        super().__init__(f"{' '.join(command)}: {words or 'no word why'} (exit {code})")
        self.words = words


class CommandTimedOut(ZfsError):
    """A command did not end in time and was killed, or can't even be killed."""


class Unreadable(ZfsError):
    """ZFS said something that we can't read; nothing is done on such a ground."""


class NotGone(ZfsError):
    """A snapshot is still there although destroying it was said to have worked."""


class NotVerified(ZfsError):
    """A clone is not what it should be, so it is not swapped in."""


class NotReplicated(ZfsError):
    """Snapshots did not get to their target; what did arrive stays there."""


class Refused(Exception):
    """A request that is not carried out; the message names the field, its value and the remedy."""
