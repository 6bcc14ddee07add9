"""A recorded stream: what the minds remembered when it began, then every event and decision in order.

A file of MessagePack records, each behind its length in 4 bytes; the first is the header.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import anyio
import msgspec
from emily_bus import Bus, Subscription
from emily_contracts import SCHEMA_VERSION, Decision, Outcome, Overflow, Stimulus
from emily_contracts.topics import DECISION, OUTCOME, STIMULUS

from emily.errors import CommandError
from emily.system import COGNITIVE, Layout

FORMAT = 1
BUFFER = 65_536
SETTLE_S = 1.5
_LONGEST_RECORD = 64 * 1024 * 1024


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream begins from.

    Attributes:
        checkpoints: The minds' checkpoints by service when it began; missing ones began from nothing.
        seed, ablate: Of the recorded system.
    """

    format: int
    schema_version: int
    recorded_at: datetime
    seed: int
    ablate: tuple[str, ...]
    checkpoints: dict[str, bytes]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One event or decision; exactly one of them is set."""

    stimulus: Stimulus | None = None
    outcome: Outcome | None = None
    decision: Decision | None = None


def checkpoint(layout: Layout, service: str) -> Path:
    """Where a mind of the layout keeps its checkpoint."""
    return layout.state_dir / "checkpoints" / "emily" / layout.colour / f"{service}.ckpt"


class Recorder:
    """Writes what a colour hears and decides."""

    def __init__(self, colour: Bus, layout: Layout) -> None:
        self._colour = colour
        self._layout = layout

    @asynccontextmanager
    async def to(self, path: Path) -> AsyncIterator[None]:
        """Record into a file for the length of the block.

        Raises:
            CommandError: The file can't be written, or the recorder was too slow and missed messages.
        """
        await anyio.sleep(SETTLE_S)
        try:
            file = path.open("wb")
        except OSError as failure:
            raise CommandError(f"{path}: {failure.strerror}", "choose another file with --record") from None
        with file:
            _write(file, msgspec.msgpack.encode(self._header()))
            async with (
                self._colour.subscribe(
                    STIMULUS, OUTCOME, DECISION, overflow=Overflow.DROP_OLDEST, buffer=BUFFER
                ) as events,
                anyio.create_task_group() as tasks,
            ):
                tasks.start_soon(_record, events, file)
                yield
                await anyio.sleep(0.2)
                tasks.cancel_scope.cancel()
        missed = events.statistics().dropped
        if missed:
            raise CommandError(
                f"the recorder was too slow and missed {missed} messages", "record fewer subjects"
            )

    def _header(self) -> Header:
        files = {name: checkpoint(self._layout, name) for name in COGNITIVE}
        return Header(
            format=FORMAT,
            schema_version=SCHEMA_VERSION,
            recorded_at=datetime.now(UTC),
            seed=self._layout.seed,
            ablate=self._layout.ablate,
            checkpoints={name: file.read_bytes() for name, file in files.items() if file.exists()},
        )


def read(path: Path) -> tuple[Header, list[Record]]:
    """A recording.

    Raises:
        CommandError: It can't be read, is torn, or is of another format or schema version.
    """
    try:
        parts = list(_parts(path))
        header = msgspec.msgpack.decode(parts[0], type=Header)
        records = [msgspec.msgpack.decode(part, type=Record) for part in parts[1:]]
    except (OSError, IndexError, EOFError, msgspec.DecodeError) as failure:
        raise CommandError(
            f"{path}: not a whole recording ({failure})", "record again with --record"
        ) from None
    if (header.format, header.schema_version) != (FORMAT, SCHEMA_VERSION):
        raise CommandError(
            f"{path}: format {header.format}, schema version {header.schema_version}; "
            f"{FORMAT} and {SCHEMA_VERSION} are read here",
            "record again with this version",
        )
    return header, records


async def _record(events: Subscription, file: BinaryIO) -> None:
    async for event in events:
        record = Record(
            stimulus=event if isinstance(event, Stimulus) else None,
            outcome=event if isinstance(event, Outcome) else None,
            decision=event if isinstance(event, Decision) else None,
        )
        _write(file, msgspec.msgpack.encode(record))


def _write(file: BinaryIO, part: bytes) -> None:
    file.write(len(part).to_bytes(4))
    file.write(part)


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while head := file.read(4):
            length = int.from_bytes(head)
            if len(head) < 4 or length > _LONGEST_RECORD:
                raise EOFError("a record's length is wrong")
            part = file.read(length)
            if len(part) < length:
                raise EOFError("its end is missing")
            yield part
