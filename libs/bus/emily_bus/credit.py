"""Back-pressure between a sender and the readers of a topic, as sliding windows.

A sender numbers its messages on a topic. A reader (one subscription) announces itself and the room in its
buffer by a liveliness token, and grants credit cumulatively: the number of the last message it took, once a
quarter of its room has passed. A sender goes at most one room beyond what each reader granted. A reader that
is killed drops its token and is forgotten; one that comes (back) starts from the sender's present number.
See ADR 7.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable

_GRANT = struct.Struct("<8sQ")
UNBOUNDED = 1 << 62


def readers_of(template: str, reader: str = "*", room: int | str = "*") -> str:
    """Key of a reader's token."""
    return f"reader/{_slug(template)}/{reader}/{room}"


def decode_reader(key: str) -> tuple[bytes, int] | None:
    """Reader and room of a token's key; none when it names none."""
    *_, reader, room = key.split("/")
    try:
        announced = bytes.fromhex(reader), int(room)
    except ValueError:
        return None
    return announced if announced[1] > 0 else None


def credit_for(template: str, sender: bytes) -> str:
    """Key on which a sender hears of credit."""
    return f"credit/{_slug(template)}/{sender.hex()}"


def encode_grant(reader: bytes, sequence: int) -> bytes:
    """The bytes of a grant."""
    return _GRANT.pack(reader, sequence)


def decode_grant(data: bytes) -> tuple[bytes, int] | None:
    """Reader and sequence of a grant; none when the bytes hold none."""
    if len(data) != _GRANT.size:
        return None
    reader, sequence = _GRANT.unpack(data)
    return reader, sequence


class Window:
    """How far a sender may go on one topic. Closed until `open`; safe to change from any thread.

    Attributes:
        sequence: Number of the last message sent; only the sender advances it.
        limit: Number of the last message that may be sent now.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self.sequence = 0
        self.limit = 0
        self._on_change = on_change
        self._open = False
        self._limits: dict[bytes, int] = {}
        self._rooms: dict[bytes, int] = {}
        self._mutex = threading.Lock()

    def open(self) -> None:
        """Let messages through: who reads is known."""
        with self._mutex:
            self._open = True
            self._settle()

    def join(self, reader: bytes, room: int) -> None:
        """Heed a reader from the next message on; one that is known already stays as it is."""
        with self._mutex:
            if reader not in self._limits:
                self._rooms[reader] = room
                self._limits[reader] = self.sequence + room
                self._settle()

    def leave(self, reader: bytes) -> None:
        """Forget a reader."""
        with self._mutex:
            if self._limits.pop(reader, None) is not None:
                del self._rooms[reader]
                self._settle()

    def grant(self, reader: bytes, sequence: int) -> None:
        """Note that a reader took everything up to `sequence`; strangers and old news are passed over."""
        with self._mutex:
            limit = min(sequence, self.sequence) + self._rooms.get(reader, 0)
            if limit > self._limits.get(reader, limit):
                self._limits[reader] = limit
                self._settle()

    def _settle(self) -> None:
        if self._open:
            self.limit = min(self._limits.values(), default=UNBOUNDED)
            self._on_change()


class Source:
    """What a reader knows of one sender on one topic.

    Attributes:
        expected: Number of the message that should arrive next; 0 before the first.
        due: Number from which on the reader owes credit.
    """

    __slots__ = ("_every", "due", "expected", "sender", "template")

    def __init__(self, template: str, sender: bytes, room: int) -> None:
        self.template = template
        self.sender = sender
        self.expected = 0
        self.due = 0
        self._every = max(1, room // 4)

    def surprise(self, sequence: int) -> int:
        """Heed a number that was not expected: how many are missing before it, -1 when it came before."""
        first, missing = self.expected == 0, sequence - self.expected
        if first:
            self.due = sequence + self._every - 1
        elif missing < 0:
            return -1
        self.expected = sequence + 1
        return 0 if first else missing

    def granted(self, sequence: int) -> None:
        """Note that credit was given up to a number."""
        self.due = sequence + self._every


def _slug(template: str) -> str:
    return template.replace("/", "-").replace("{", "").replace("}", "")
