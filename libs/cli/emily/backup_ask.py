"""How commands of `emily backup` ask the agent, over the bus, and restore without it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import msgspec
from emily_contracts.backups import BackupRequest, BackupStatus, BackupStatusRequest, JobStatus, What
from emily_contracts.topic import Query
from emily_contracts.topics import BACK_UP, BACKUPS

from emily import launch
from emily.bus_ask import asked
from emily.errors import CommandError, NotUp
from emily.launch import Progress
from emily.system import Layout, parts, restic_program

ASK_TIMEOUT_S = 60.0
POLL_S = 0.3
AGENT = "backup-agent"
START_TIMEOUT_S = 20.0
JOB = "emily"
"""The job of an embedded Emily."""


def ask[Req: msgspec.Struct, Rep: msgspec.Struct](
    state_dir: Path, query: Query[Req, Rep], request: Req
) -> Rep:
    """What the backup-agent answers.

    Raises:
        NotUp: Emily is not up, or has no backup-agent.
        CommandError: It refused, or did not answer in time.
    """
    return anyio.run(partial(_asked, _layout(state_dir), query, request))


def done(state_dir: Path, job: str, what: What, progress: Progress) -> JobStatus:
    """How a job stands after it was run, drilled or checked.

    Raises:
        NotUp: Emily is not up, or has no backup-agent.
        CommandError: It refused.
    """
    return anyio.run(partial(_done, _layout(state_dir), job, what, progress))


async def _done(layout: Layout, job: str, what: What, progress: Progress) -> JobStatus:
    accepted = await _asked(layout, BACK_UP, BackupRequest(job=job, what=what))
    while True:
        status = await _asked(layout, BACKUPS, BackupStatusRequest())
        found = next(each for each in status.jobs if each.job == job)
        if status.problem:
            raise CommandError(status.problem)
        if _over(found, what, accepted.asked_at):
            return found
        _show(status, progress)
        await anyio.sleep(POLL_S)


def made(state_dir: Path, *, plan_file: Path | None) -> dict[str, Any]:
    """The repository, made by a process of its own where it is not there.

    Raises:
        CommandError: It can't be made.
    """
    options = {"--plan-file": plan_file, "--restic": restic_program()}
    return _said("making", state_dir, options, lambda *_: None)


def restored(
    state_dir: Path, *, job: str, snapshot: str, to: Path | None, plan_file: Path | None, progress: Progress
) -> dict[str, Any]:
    """What was restored by a process of its own; without `to`, in place.

    Raises:
        CommandError: It was not.
    """
    options = {
        "--job": job,
        "--snapshot": snapshot,
        "--to": to,
        "--plan-file": plan_file,
        "--restic": restic_program(),
    }
    found: dict[str, Any] = _said("restoring", state_dir, options, progress)["restored"]
    return found


def rekeyed(state_dir: Path) -> None:
    """Give the repository of an embedded Emily another password, by a process of its own.

    Raises:
        CommandError: It was not.
    """
    _said("rekeying", state_dir, {"--restic": restic_program()}, lambda *_: None)


def _said(module: str, state_dir: Path, options: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """The last line of a module of the agent; those before are its progress."""
    words = [f"{name}={value}" for name, value in options.items() if value]
    command = [
        sys.executable,
        "-m",
        f"emily_backup_agent.{module}",
        f"--state-dir={state_dir.absolute()}",
        *words,
    ]
    last: dict[str, Any] = {}
    with subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            assert process.stderr is not None  # noqa: S101 - it is a pipe
            for line in process.stdout:
                last = json.loads(line)
                if "step" in last:
                    progress(last["step"], last["done"], last["total"])
            errors = process.stderr.read().strip()
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        raise CommandError(errors or f"{module} ended with {process.returncode}")
    return last


def _layout(state_dir: Path) -> Layout:
    """Of the Emily that is up, once her agent is: `emily up` does not wait for it."""
    layout = launch.require_running(Layout(state_dir=state_dir.absolute())).layout
    agent = next((part for part in parts(layout) if part.name == AGENT), None)
    if agent is None:
        raise NotUp("this Emily is not backed up", "start her with: emily up --backups")
    launch.wait_until_ready(layout, agent, START_TIMEOUT_S)
    return layout


def _over(found: JobStatus, what: What, asked_at: datetime) -> bool:
    if what == "check":
        return found.read.at is not None and found.read.at >= asked_at
    attempt, drill = found.attempt, found.drill
    ran = attempt is not None and attempt.started_at >= asked_at and attempt.ended_at is not None
    if not ran or what == "backup":
        return ran
    assert attempt is not None  # noqa: S101 - it ran
    proved = drill is not None and drill.run == attempt.run and drill.ended_at is not None
    return proved or bool(attempt.reason)


def _show(status: BackupStatus, progress: Progress) -> None:
    work = status.work
    if work is None:
        progress("waits for its turn", 0, 1)
    else:
        progress(f"{work.what} of {work.job}: {work.step}", work.done, work.total or 1)


async def _asked[Req: msgspec.Struct, Rep: msgspec.Struct](
    layout: Layout, query: Query[Req, Rep], request: Req
) -> Rep:
    return await asked(
        layout,
        query,
        request,
        namespace="emily",
        service=AGENT,
        remedy="look at it with: emily status",
        timeout_s=ASK_TIMEOUT_S,
    )
