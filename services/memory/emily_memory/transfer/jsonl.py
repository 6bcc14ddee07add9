"""Memories as lines of JSON: a header, then a memory a line, each version with its vector and what was done.

Zstd or plain.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
import numpy as np
import zstandard
from emily_contracts.constraints import Name, require_storable
from emily_contracts.curation import Memory
from emily_contracts.memory import require_zone
from emily_runtime.problems import field_of
from msgspec import Meta
from numpy.typing import NDArray

from emily_memory.embedding.space import Space
from emily_memory.errors import MemoryRefused

LONGEST_LINE = 4 * 2**20
MAGIC = b"\x28\xb5\x2f\xfd"
"""What every zstd file begins with."""
SLICE = 1024
"""Bytes that are decompressed at once; they can't become more than 32 MiB."""
WINDOW = 2**27


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line.

    Attributes:
        format: And its version; the first had no changes.
        schema_version: Of the database that it was exported from.
        space: Of the vectors; none when no space was active.
        memories: Lines that follow.
    """

    format: Literal["emily-memory/1", "emily-memory/2"] = "emily-memory/2"
    schema_version: int
    space: Space | None
    namespace: Name
    exported_at: datetime
    memories: int


class Done(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What was done to a memory, when, for which other memory, and why."""

    at: datetime
    did: Name
    other: UUID | None = None
    reason: Annotated[str, Meta(max_length=1024)] = ""

    def __post_init__(self) -> None:
        require_zone("at", self.at)
        require_storable("reason", self.reason)


class Line(Memory, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A version of a memory.

    Attributes:
        vector: (dimension,) numbers of 16 bits, little-endian, in the header's space.
        changes: What was done to it, in this order.
    """

    vector: bytes | None = None
    changes: tuple[Done, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("recorded_at", "retracted_at", "archived_at", "used_at"):
            require_zone(name, getattr(self, name))
        for name in ("context", "source"):
            for key, value in getattr(self, name).items():
                require_storable(name, key)
                require_storable(f"{name}.{key}", value)
        if self.uses < 0 or (self.uses > 0) != (self.used_at is not None):
            raise ValueError(f"uses: {self.uses} does not go with used_at {self.used_at}")


def encoded(values: Iterable[msgspec.Struct]) -> bytes:
    """A line each."""
    return msgspec.json.Encoder().encode_lines(values)


def decoded[S: msgspec.Struct](number: int, line: bytes, type: type[S]) -> S:
    """What a line holds.

    Raises:
        MemoryRefused: It does not fit; the message names the line and the field.
    """
    try:
        return msgspec.json.decode(line, type=type)
    except msgspec.DecodeError as failure:
        raise refused(number, field_of(str(failure)) or "json", str(failure)) from None
    except (UnicodeDecodeError, RecursionError) as failure:
        raise refused(number, "json", str(failure)) from None


def refused(number: int, field: str, why: str) -> MemoryRefused:
    """The error of a line."""
    return MemoryRefused(f"line {number}, {field}: {why.removeprefix(f'{field}: ')}")


def vector_of(number: int, vector: bytes, space: Space | None) -> NDArray[np.float16]:
    """(dimension,) The vector of a line.

    Raises:
        MemoryRefused: It is not one of the space.
    """
    dimension = 0 if space is None else space.dimension
    if len(vector) != 2 * dimension:
        raise refused(number, "vector", f"{len(vector)} bytes are not {dimension} numbers of 2 bytes")
    numbers = np.frombuffer(vector, "<f2").astype(np.float16)
    if not np.isfinite(numbers).all():
        raise refused(number, "vector", "holds NaN or infinity")
    if not numbers.any():
        raise refused(number, "vector", "is all zeros, which is like nothing")
    return numbers


async def lines(chunks: AsyncIterable[bytes]) -> AsyncGenerator[tuple[int, bytes]]:
    """Lines with their numbers from 1, of plain or compressed text; blank ones are passed over.

    Raises:
        MemoryRefused: A line is too long, or the compression is broken off.
    """
    number, rest = 0, b""
    async for piece in _plain(chunks):
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            number += 1
            if line.strip():
                yield number, line
        if len(rest) > LONGEST_LINE:
            raise refused(number + 1, "json", f"longer than {LONGEST_LINE} bytes")
    if rest.strip():
        yield number + 1, rest


async def _plain(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    beginning, undecided = b"", True
    decompressor = None
    async for chunk in chunks:
        if undecided:
            beginning += chunk
            if len(beginning) < len(MAGIC):
                continue
            undecided, chunk = False, beginning  # noqa: PLW2901
            decompressor = _decompressor() if chunk.startswith(MAGIC) else None
        if decompressor is None:
            yield chunk
            continue
        for start in range(0, len(chunk), SLICE):
            piece = chunk[start : start + SLICE]
            while piece:
                if decompressor.eof:
                    decompressor = _decompressor()
                try:
                    yield decompressor.decompress(piece)
                except zstandard.ZstdError as failure:
                    raise MemoryRefused(f"zstd: the file is damaged: {failure}") from None
                piece = decompressor.unused_data
    if undecided:
        yield beginning
    if decompressor is not None and not decompressor.eof:
        raise MemoryRefused("zstd: the file is broken off")


def _decompressor() -> zstandard.ZstdDecompressionObj:
    return zstandard.ZstdDecompressor(max_window_size=WINDOW).decompressobj()
