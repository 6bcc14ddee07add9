"""What a person is told when a command can't do its work, with an exit code that means something."""

from __future__ import annotations


class CommandError(Exception):
    """A command failed; the message names what, and the remedy says what to do.

    Attributes:
        code: Exit code of the process.
    """

    code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class NotUp(CommandError):
    """The command needs a running system."""

    code = 4


class StartFailed(CommandError):
    """A part did not become ready."""

    code = 5


class PartialAnswer(CommandError):
    """The command ran, but not everything was answered as it should."""

    code = 6
