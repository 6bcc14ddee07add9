"""A run of the world as a child process of a command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import anyio
import anyio.abc

from emily.errors import CommandError
from emily.system import Layout, service_environment

STOP_TIMEOUT_S = 5.0
ROOT_SPACE = "emily"
_LAST_WORDS = 2000


async def run_world(
    layout: Layout, settings: Mapping[str, Any], *, deadline_s: float | None
) -> dict[str, Any]:
    """Run the world to its end and give its summary; cancelling stops it.

    Raises:
        CommandError: It failed or was not done by the deadline.
    """
    own = {
        name.upper(): str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in settings.items()
    }
    environment = os.environ | service_environment(layout, "world", ROOT_SPACE, own)
    process = await anyio.open_process(
        [sys.executable, "-m", "emily_world"], stdin=subprocess.DEVNULL, env=environment
    )
    try:
        with anyio.move_on_after(deadline_s) as scope:
            said, complaint = await _listen(process)
            code = await process.wait()
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)
    if scope.cancelled_caught:
        raise CommandError(
            f"the world was not done in {deadline_s:g} s", "try fewer --episodes, or: emily status"
        )
    lines = said.strip().splitlines()
    if code != 0 or not lines:
        raise CommandError(f"the world ended with {code}\n{complaint[-_LAST_WORDS:]}", "run: emily doctor")
    summary: dict[str, Any] = json.loads(lines[-1])
    return summary


async def _listen(process: anyio.abc.Process) -> tuple[str, str]:
    parts: dict[str, list[bytes]] = {"out": [], "err": []}

    async def collect(name: str, stream: anyio.abc.ByteReceiveStream | None) -> None:
        if stream is not None:
            async for chunk in stream:
                parts[name].append(chunk)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(collect, "out", process.stdout)
        tasks.start_soon(collect, "err", process.stderr)
    said, complaint = (b"".join(parts[name]).decode(errors="replace") for name in ("out", "err"))
    return said, complaint


async def _end(process: anyio.abc.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    with anyio.move_on_after(STOP_TIMEOUT_S):
        await process.wait()
        return
    process.kill()
    await process.wait()
