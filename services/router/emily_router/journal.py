"""What is owed and what was answered, on disk, so that a killed router loses nothing it accepted.

Append-only segments of frames: length and CRC-32 of the body (two little-endian u32), then the body.
A frame is handed to the kernel with one `write`, which survives `kill -9`; it is not synced, so a
power cut may lose the last moments. Each new segment begins with the records that are still open,
therefore the oldest segments can be dropped and the size stays bounded.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

import msgspec
from emily_contracts.stimulus import Stimulus

from emily_router.errors import JournalBusy, JournalUnwritable


class Accepted(msgspec.Struct, frozen=True, kw_only=True, tag="accepted"):
    """Written before the stimulus is forwarded; `at` is in seconds since 1970."""

    at: float
    colour: str
    stimulus: Stimulus


class Answered(msgspec.Struct, frozen=True, kw_only=True, tag="answered"):
    """Written before the decision is published; `decision` is MessagePack."""

    at: float
    stimulus_id: UUID
    decision: bytes


class Delivered(msgspec.Struct, frozen=True, kw_only=True, tag="delivered"):
    """Written when the decision was published."""

    stimulus_id: UUID


Record = Accepted | Answered | Delivered


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """What earlier runs left behind.

    Attributes:
        owed: Accepted, never answered.
        undelivered: Answered, but perhaps not published.
        answered: All answers on record, the oldest first.
        torn: Bytes that could not be read, such as a record cut off by a kill.
    """

    owed: tuple[Accepted, ...]
    undelivered: tuple[Answered, ...]
    answered: tuple[Answered, ...]
    torn: int


_HEADER = struct.Struct("<II")
_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(Record).decode


class Journal:
    """Records of one router, in `directory`.

    Args:
        directory: Made when it is missing; belongs to one router at a time.
        segment_bytes: A segment is followed by the next one when it is larger than this.
        segments: How many are kept.

    Raises:
        JournalBusy: Another router holds the directory.
    """

    def __init__(self, directory: Path, *, segment_bytes: int = 16 * 2**20, segments: int = 4) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._segments = segments
        self._lock = _lock(directory)
        self._open: dict[UUID, bytes] = {}
        self._deferred: list[Record] = []
        self._file = -1
        self._size = self._carried = 0
        self.recovery = self._recover()
        self._begin_segment()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)
        os.close(self._lock)

    def defer(self, record: Record) -> None:
        """Hands a record to the kernel with the next write, or at `flush`."""
        self._deferred.append(record)

    def flush(self) -> None:
        """Hands what was deferred to the kernel.

        Raises:
            JournalUnwritable: The disk is full or gone; what was deferred is not on record.
        """
        if self._deferred:
            try:
                self.append(())
            finally:
                self._deferred.clear()

    def append(self, records: Sequence[Record]) -> None:
        """Hands the records to the kernel in one write, what was deferred before them: all, or none.

        Raises:
            JournalUnwritable: The disk is full or gone.
        """
        records = (*self._deferred, *records)
        frames = [_frame(record) for record in records]
        try:
            if self._size > self._carried + self._segment_bytes:
                self._begin_segment()
            self._size += _write_whole(self._file, b"".join(frames), at=self._size)
        except OSError as error:
            raise JournalUnwritable(f"{self._directory}: {error.strerror}; free some space") from error
        self._deferred.clear()
        for record, frame in zip(records, frames, strict=True):
            self._note(record, frame)

    def _note(self, record: Record, frame: bytes) -> None:
        match record:
            case Accepted():
                self._open[record.stimulus.id] = frame
            case Answered():
                self._open[record.stimulus_id] = frame
            case Delivered():
                self._open.pop(record.stimulus_id, None)

    def _paths(self) -> list[Path]:
        return sorted(self._directory.glob("*.journal"))

    def _begin_segment(self) -> None:
        paths = self._paths()
        number = int(paths[-1].stem) + 1 if paths else 0
        path = self._directory / f"{number:012d}.journal"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            carried = _write_whole(file, b"".join(self._open.values()), at=0)
        except OSError:
            os.close(file)
            path.unlink()
            raise
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size, self._carried = file, carried, carried
        for old in paths[: max(0, len(paths) + 1 - self._segments)]:
            old.unlink()

    def _recover(self) -> Recovery:
        answered, torn = {}, 0
        for path in self._paths():
            data = path.read_bytes()
            read = 0
            for record, frame in _frames(data):
                self._note(record, frame)
                read += len(frame)
                if isinstance(record, Answered):
                    answered[record.stimulus_id] = record
            torn += len(data) - read
        still_open = [_decode(frame[_HEADER.size :]) for frame in self._open.values()]
        return Recovery(
            owed=tuple(record for record in still_open if isinstance(record, Accepted)),
            undelivered=tuple(record for record in still_open if isinstance(record, Answered)),
            answered=tuple(answered.values()),
            torn=torn,
        )


def _lock(directory: Path) -> int:
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise JournalBusy(f"{directory}: another router writes here; give each its own state_dir") from error
    return lock


def _write_whole(file: int, data: bytes, *, at: int) -> int:
    """How many bytes were appended: all, since a part is taken back."""
    written = os.write(file, data)
    if written < len(data):
        os.ftruncate(file, at)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return written


def _frame(record: Record) -> bytes:
    body = _encode(record)
    return _HEADER.pack(len(body), zlib.crc32(body)) + body


def _frames(data: bytes) -> Iterator[tuple[Record, bytes]]:
    """The records up to the first that is cut off or damaged."""
    start = 0
    while start + _HEADER.size <= len(data):
        length, checksum = _HEADER.unpack_from(data, start)
        end = start + _HEADER.size + length
        frame = data[start:end]
        body = frame[_HEADER.size :]
        if len(body) < length or zlib.crc32(body) != checksum:
            return
        yield _decode(body), frame
        start = end
