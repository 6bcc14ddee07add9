"""Import: the lines of an export, a batch a transaction; what is known already adds nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence
from contextlib import aclosing
from typing import NamedTuple

import msgspec
import numpy as np
import psycopg
from emily_postgres import Connection
from numpy.typing import NDArray

from emily_memory.errors import MemoryRefused
from emily_memory.store.database import Database
from emily_memory.transfer import arriving
from emily_memory.transfer.jsonl import Header, Line, decoded, lines, refused, vector_of

LINES = 1000
BYTES = 8 * 2**20
"""Of a batch, whichever is reached first."""


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did.

    Attributes:
        memories: That were read, in every version.
        new: That were not known.
        updated: That were known, and are corrected or superseded now.
        embedded: New ones whose vector came along; the others wait for theirs.
    """

    memories: int = 0
    new: int = 0
    updated: int = 0
    embedded: int = 0


class Numbered(NamedTuple):
    """A line with its number and its vector."""

    number: int
    line: Line
    vector: NDArray[np.float16] | None


async def take_in(
    database: Database, chunks: AsyncIterable[bytes], *, namespace: str | None = None
) -> Imported:
    """What became of an export's lines.

    Args:
        database: That takes them in.
        chunks: Of the file, plain or zstd.
        namespace: Where they go; that of the header by default.

    Raises:
        MemoryRefused: A line is torn, foreign or does not fit; the message names line and field, and says
            which lines before it are stored. Nothing of its batch is.
    """
    done = Imported()
    async with aclosing(lines(chunks)) as numbered:
        header = await _header(numbered)
        target = namespace or header.namespace
        async with database.writer.connection() as connection, arriving.tables(connection):
            async with aclosing(_batches(numbered, header)) as batches:
                last = 1
                try:
                    async for batch in batches:
                        done = await _stored(connection, batch, header, target, done)
                        last = batch[-1].number
                except MemoryRefused as refusal:
                    kept = f"lines 2 to {last} are stored" if last > 1 else "nothing is stored"
                    raise MemoryRefused(f"{refusal}; {kept}, mend it and import again") from None
            await arriving.settle(connection)
    return done


async def _header(numbered: AsyncIterator[tuple[int, bytes]]) -> Header:
    async for number, line in numbered:
        return decoded(number, line, Header)
    raise refused(1, "format", "the file is empty; an export begins with a header")


async def _batches(
    numbered: AsyncIterator[tuple[int, bytes]], header: Header
) -> AsyncGenerator[Sequence[Numbered]]:
    batch: list[Numbered] = []
    size = count = 0
    number = 1
    async for number, raw in numbered:
        batch.append(_read(number, raw, header))
        size += len(raw)
        count += 1
        if len(batch) == LINES or size >= BYTES:
            yield batch
            batch, size = [], 0
    if count != header.memories:
        raise refused(number, "memories", f"the file ends after {count} of {header.memories}")
    if batch:
        yield batch


def _read(number: int, raw: bytes, header: Header) -> Numbered:
    line = decoded(number, raw, Line)
    if line.namespace != header.namespace:
        raise refused(number, "namespace", f"{line.namespace} is not {header.namespace}, as the header says")
    vector = None if line.vector is None else vector_of(number, line.vector, header.space)
    return Numbered(number, line, vector)


async def _stored(
    connection: Connection, batch: Sequence[Numbered], header: Header, namespace: str, done: Imported
) -> Imported:
    try:
        arrived = await arriving.store(connection, batch, header.space, namespace)
    except psycopg.OperationalError:
        raise
    except psycopg.Error as failure:
        first, last = batch[0].number, batch[-1].number
        raise MemoryRefused(f"lines {first} to {last}: {failure}") from None
    return Imported(
        memories=done.memories + len(batch),
        new=done.new + arrived.new,
        updated=done.updated + arrived.updated,
        embedded=done.embedded + arrived.embedded,
    )
