"""How commands of `emily zfs` ask the zfs-agent, over the bus, and plan and roll back without it."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, Literal

import anyio
import msgspec
from emily_contracts.topic import Query

from emily import launch
from emily.bus_ask import asked
from emily.errors import CommandError
from emily.system import Layout

ASK_TIMEOUT_S = 35.0
PLAN_TIMEOUT_S = 600.0
ROLLBACK_TIMEOUT_S = 86_400.0
"""It reads all files of the dataset."""
AGENT_DOWN = "start it with: python -m emily_zfs_agent, see docs/how-to/zfs.md"


def ask[Req: msgspec.Struct, Rep: msgspec.Struct](
    state_dir: Path, query: Query[Req, Rep], request: Req
) -> Rep:
    """What the zfs-agent answers.

    Raises:
        NotUp: Emily is not up, or has no zfs-agent.
        CommandError: It refused, or did not answer in time.
    """
    layout = launch.require_running(Layout(state_dir=state_dir.absolute())).layout
    return anyio.run(
        partial(
            asked,
            layout,
            query,
            request,
            namespace="emily",
            service="zfs-agent",
            remedy=AGENT_DOWN,
            timeout_s=ASK_TIMEOUT_S,
        )
    )


def planned(command: Literal["plan", "apply"], file: Path) -> dict[str, Any]:
    """What the agent's own plan says, made in a process of its own.

    Raises:
        CommandError: It can't be told, in its own words.
    """
    return _told("emily_zfs_agent.planning", command, str(file.absolute()), timeout_s=PLAN_TIMEOUT_S)


def rolled_back(snapshot: str, *, undo: bool) -> dict[str, Any]:
    """What the agent's own rollback did, in a process of its own.

    Raises:
        CommandError: It stopped, in its own words.
    """
    way = ("--undo",) if undo else ()
    return _told("emily_zfs_agent.rollback", snapshot, *way, timeout_s=ROLLBACK_TIMEOUT_S)


def _told(module: str, *words: str, timeout_s: float) -> dict[str, Any]:
    try:
        done = subprocess.run(  # noqa: S603 - this Python, and words that a person said
            (sys.executable, "-m", module, *words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CommandError(f"{words[0]}: not over in {timeout_s:.0f} s", "look at: zpool status") from None
    if done.returncode != 0:
        raise CommandError(
            done.stderr.strip() or f"{words[0]}: exit {done.returncode}", "see docs/how-to/zfs.md"
        )
    found: dict[str, Any] = msgspec.json.decode(done.stdout)
    return found
