"""Which colours an embedded system runs, and with which code: written by who deploys, read by who supervises.

The file is what is wanted, not what is: whoever supervises makes it so, now and after each of its own starts.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
from emily_contracts.routing import Colour

from emily_runtime.checkpoint import write_atomically

CURRENT = "current"
"""The release that is the code of who supervises, without settings of its own."""


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """The minds of one colour.

    Attributes:
        release: What the code is called.
        python: Interpreter that runs it.
        path: Folders that are imported from before the interpreter's own.
        settings: Environment variables of its services.
    """

    colour: Colour
    release: str = CURRENT
    python: str = sys.executable
    path: tuple[str, ...] = ()
    settings: dict[str, str] = {}


def stacks_file(state_dir: Path) -> Path:
    """Where the stacks of a state folder are written down."""
    return state_dir / "stacks.json"


def read_stacks(state_dir: Path) -> tuple[Stack, ...] | None:
    """The wanted stacks; none when nobody said, which a file that can't be read does not either."""
    try:
        return msgspec.json.decode(stacks_file(state_dir).read_bytes(), type=tuple[Stack, ...])
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def write_stacks(state_dir: Path, stacks: tuple[Stack, ...]) -> None:
    """Say which stacks are wanted; durable when it returns."""
    write_atomically(stacks_file(state_dir), msgspec.json.encode(stacks))
