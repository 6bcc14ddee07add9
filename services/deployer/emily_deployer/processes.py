"""Programs that the deployer runs: without input, with a deadline, and heard when they fail."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.abc

from emily_deployer.errors import StepFailed

LAST_WORDS = 2000
MOST_HEARD = 2**20
_STOP_TIMEOUT_S = 2.0


async def run(
    command: Sequence[str],
    *,
    timeout_s: float,
    what: str,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> str:
    """What a program prints to stdout.

    Args:
        command: The program and its arguments.
        timeout_s: It is killed after that, with everything that it started.
        what: It is called in an error.
        environment: Added to the own one.
        folder: To run it in.

    Raises:
        StepFailed: It can't be started, ended with another code than 0, or was late; with its last words.
    """
    try:
        process = await anyio.open_process(
            command,
            stdin=subprocess.DEVNULL,
            env=os.environ | (environment or {}),
            cwd=folder,
            start_new_session=True,
        )
    except OSError as failure:
        raise StepFailed(f"{what}: {command[0]}: {failure.strerror}") from None
    said: dict[str, bytes] = {"out": b"", "err": b""}

    async def hear(name: str, stream: anyio.abc.ByteReceiveStream | None) -> None:
        if stream is not None:
            async for chunk in stream:
                said[name] = (said[name] + chunk)[-MOST_HEARD:]

    try:
        with anyio.move_on_after(timeout_s) as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(hear, "out", process.stdout)
                tasks.start_soon(hear, "err", process.stderr)
            await process.wait()
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)
    words = (said["err"] or said["out"]).decode(errors="replace").strip()[-LAST_WORDS:]
    if scope.cancelled_caught:
        raise StepFailed(f"{what}: not done in {timeout_s:g} s{_told(words)}")
    if process.returncode != 0:
        raise StepFailed(f"{what}: exit {process.returncode}{_told(words)}")
    return said["out"].decode(errors="replace")


async def _end(process: anyio.abc.Process) -> None:
    """Leave nothing behind: who has its session is ended with it."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with anyio.move_on_after(_STOP_TIMEOUT_S):
            await process.wait()
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            await stream.aclose()


def _told(words: str) -> str:
    return f"; it said: {words}" if words else ""
