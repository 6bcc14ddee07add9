"""For tests: a real pool on a file where ZFS runs here, and recorded answers where it does not.

The recorded answers are written by hand after the formats of OpenZFS 2.3.
"""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from emily_bus import testing as bus_testing
from emily_runtime import testing as runtime_testing

from emily_zfs_agent.commands import Commands
from emily_zfs_agent.errors import ZfsError
from emily_zfs_agent.zfs import Zfs

GUEST_DEADLINE_S = 120.0
SIZE = 128 * 1024**2
GROUPS = ("mirror", "special")
VERSION = "zfs-2.3.9-1\nzfs-kmod-2.3.9-1\n"
FACTS = "get -Hp -o name,property,source,value type,creation,createtxg,guid,userrefs,used,org.emily:policy"
SCRIPT = """#!/bin/sh
call="$(basename "$0") $*"
printf '%s\\n' "$call" >> {folder}/calls
answer="{folder}/answers/$(printf '%s' "$call" | tr / %)"
[ -e "$answer" ] || {{ echo "no answer is recorded for: $call" >&2; exit 99; }}
exec sh "$answer"
"""


class Recorded:
    """A `zfs` and a `zpool` on the path that give recorded answers, and remember what they were asked."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self._answers = folder / "answers"
        self._calls = folder / "calls"
        for each in (self.bin, self._answers):
            each.mkdir()
        self._calls.touch()
        for program in ("zfs", "zpool"):
            file = self.bin / program
            file.write_text(SCRIPT.format(folder=folder))
            file.chmod(0o755)
        self.answers("zfs version", VERSION)

    def answers(self, call: str, out: str = "", *, words: str = "", code: int = 0) -> None:
        """Record an answer."""
        told = f"printf %s {shlex.quote(out)}; printf %s {shlex.quote(words)} >&2; exit {code}\n"
        self.runs(call, told)

    def runs(self, call: str, script: str) -> None:
        """Record what a call does."""
        (self._answers / call.replace("/", "%")).write_text(script)

    def calls(self, start: str = "") -> list[str]:
        """What was asked so far."""
        return [line for line in self._calls.read_text().splitlines() if line.startswith(start)]


def facts(name: str, *, creation: int, txg: int, guid: int, policy: str = "", source: str = "local") -> str:
    """What `zfs get` says of a snapshot."""
    told = {
        "type": "snapshot",
        "creation": creation,
        "createtxg": txg,
        "guid": guid,
        "userrefs": 0,
        "used": 8192,
    }
    rows = [(key, "-", str(value)) for key, value in told.items()]
    rows.append(("org.emily:policy", source, policy) if policy else ("org.emily:policy", "-", "-"))
    return "".join(f"{name}\t{key}\t{where}\t{value}\n" for key, where, value in rows)


def unavailable() -> str:
    """Why no pool can be made here; empty when one can. With EMILY_ZFS=required it is an error."""
    try:
        Zfs(Commands(5)).datasets("emily-none")
        Commands(5).zpool("list", "-H", "-o", "name")
    except ZfsError as failure:
        if os.environ.get("EMILY_ZFS") == "required":
            raise
        return f"no ZFS runs here: {failure}; make test-zfs brings one"
    return ""


@contextmanager
def patience() -> Iterator[None]:
    """A machine of make test-zfs without KVM starts programs slowly: they get `GUEST_DEADLINE_S` there."""
    with pytest.MonkeyPatch.context() as patch:
        if os.environ.get("EMILY_ZFS_GUEST") == "1":
            patch.setattr(bus_testing, "START_TIMEOUT_S", GUEST_DEADLINE_S)
            patch.setattr(runtime_testing, "DEADLINE_S", GUEST_DEADLINE_S)
        yield


@contextmanager
def pool(folder: Path, layout: str = "disk") -> Iterator[str]:
    """The name of a new pool, mounted nowhere; it is destroyed at the end.

    Args:
        folder: Gets a file for each disk.
        layout: As `zpool create` takes it, such as `mirror a b special mirror c d`.
    """
    name = f"emilytest{secrets.token_hex(5)}"
    words = [word if word in GROUPS else str(disk(folder, word)) for word in layout.split()]
    commands = Commands()
    commands.zpool("create", "-O", "mountpoint=none", name, *words)
    try:
        yield name
    finally:
        commands.zpool("destroy", "-f", name)


def disk(folder: Path, name: str) -> Path:
    """A file that is a disk of a pool; it takes room as it is written."""
    with (folder / name).open("wb") as file:
        file.truncate(SIZE)
    return folder / name
