"""The audit trail of secrets: who made or rotated which; each line is bound to all before it by a hash."""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from emily_runtime.errors import TrailBroken

NAME = "secrets.audit.jsonl"
FIRST = "0" * 64
"""What the first line is bound to."""
FILE_MODE = 0o600

Act = Literal["made", "rotated"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line; never a value.

    Attributes:
        who: The user of the machine that did it, behind the service that did it as that user.
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

    @contextmanager
    def making(self, secret: str, *, by: str) -> Iterator[None]:
        """Put what a service makes in the block on record; where the trail is broken nothing is made.

        Raises:
            TrailBroken: A line is not what was written there.
            OSError: It can't be written.
        """
        self.verified()
        yield
        self.append(secret, "made", by=by)

    def append(self, secret: str, act: Act, *, by: str = "") -> None:
        """Bind one more line to those before.

        Args:
            secret: Its file, under the state folder.
            act: What was done.
            by: The service that did it; none where a person's command did.

        Raises:
            TrailBroken: Those are broken; nothing is added to them.
            OSError: It can't be written.
        """
        who = f"{by} as {_user()}" if by else _user()
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND, FILE_MODE), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            _, head = _verified(file.read(), self._file)
            entry = Entry(at=datetime.now(UTC), who=who, secret=secret, act=act, before=head)
            file.write(msgspec.json.encode(entry) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def verified(self) -> tuple[tuple[Entry, ...], str]:
        """All lines and the hash of the last, once every one is bound to those before it.

        A trail that was cut off at its end is sound too: who keeps its last hash elsewhere sees that.

        Raises:
            TrailBroken: A line was changed, removed or added by somebody else; it names the first.
            OSError: It can't be read.
        """
        if not self._file.exists():
            return (), FIRST
        with self._file.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            return _verified(file.read(), self._file)


def _verified(data: bytes, file: Path) -> tuple[tuple[Entry, ...], str]:
    entries, head = [], FIRST
    for number, line in enumerate(data.splitlines(keepends=True), start=1):
        try:
            entry = msgspec.json.decode(line, type=Entry)
        except (msgspec.DecodeError, UnicodeDecodeError):
            entry = None
        if entry is None or entry.before != head or not line.endswith(b"\n"):
            raise TrailBroken(
                f"{file}: line {number} is not what was written there; bring the file back from a backup and "
                "compare, or move it away to begin a new trail"
            )
        entries.append(entry)
        head = hashlib.sha256(line).hexdigest()
    return tuple(entries), head


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
