"""The audit trail of secrets: who made or rotated which; each line is bound to all before it by a hash."""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from emily.errors import CommandError

NAME = "secrets.audit.jsonl"
FIRST = "0" * 64
"""What the first line is bound to."""
FILE_MODE = 0o600

Act = Literal["made", "rotated"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line; never a value.

    Attributes:
        who: The user of the machine that did it.
        before: Hash of the line before.
    """

    at: datetime
    who: str
    secret: str
    act: Act
    before: str


class Trail:
    """The trail of a state folder.

    Args:
        state_dir: The folder.
    """

    def __init__(self, state_dir: Path) -> None:
        self._file = state_dir / NAME

    def append(self, secret: str, act: Act) -> None:
        """Bind one more line to those before.

        Raises:
            CommandError: Those are broken; nothing is added to them.
            OSError: It can't be written.
        """
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND, FILE_MODE), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            _, head = _verified(file.read(), self._file)
            entry = Entry(at=datetime.now(UTC), who=getpass.getuser(), secret=secret, act=act, before=head)
            file.write(msgspec.json.encode(entry) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def verified(self) -> tuple[tuple[Entry, ...], str]:
        """All lines and the hash of the last, once every one is bound to those before it.

        A trail that was cut off at its end is sound too: who keeps its last hash elsewhere sees that.

        Raises:
            CommandError: A line was changed, removed or added by somebody else; it names the first.
        """
        return _verified(self._file.read_bytes() if self._file.exists() else b"", self._file)


def _verified(data: bytes, file: Path) -> tuple[tuple[Entry, ...], str]:
    entries, head = [], FIRST
    for number, line in enumerate(data.splitlines(keepends=True), start=1):
        try:
            entry = msgspec.json.decode(line, type=Entry)
        except (msgspec.DecodeError, UnicodeDecodeError):
            entry = None
        if entry is None or entry.before != head or not line.endswith(b"\n"):
            raise CommandError(
                f"{file}: line {number} is not what was written there",
                "bring the file back from a backup and compare; move it away to begin a new trail",
            )
        entries.append(entry)
        head = hashlib.sha256(line).hexdigest()
    return tuple(entries), head
