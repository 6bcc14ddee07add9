"""`emily up`, `emily down` and `emily status`."""

from __future__ import annotations

import time
from typing import Annotated

import msgspec
import psutil
import typer
from rich.table import Table

from emily import launch
from emily.console import (
    DEFAULT_STATE_DIR,
    AsJson,
    StateDir,
    err,
    out,
    print_json,
    progress_bar,
    reports_errors,
)
from emily.errors import PartialAnswer
from emily.supervisor import PartStatus
from emily.system import Layout, Part, parts


class PartReport(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `emily status`."""

    name: str
    namespace: str
    state: str
    ready: bool
    lacks: str
    pid: int | None
    restarts: int
    memory_mb: float | None


class SystemReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `emily status --json` prints."""

    up: bool
    ready: bool
    uptime_s: float
    http: str
    parts: tuple[PartReport, ...]


@reports_errors
def up(
    state_dir: StateDir = DEFAULT_STATE_DIR,
    port: Annotated[int, typer.Option(help="HTTP port on 127.0.0.1.")] = Layout().http_port,
    bus_port: Annotated[int, typer.Option(help="Bus port on 127.0.0.1.")] = Layout().bus_port,
    seed: Annotated[int, typer.Option(help="Seed of the data split and of all sampling.")] = 0,
    memory: Annotated[bool, typer.Option(help="Remember episodes, in a PostgreSQL of her own.")] = True,
    backups: Annotated[bool, typer.Option(help="Back her state up every hour; needs restic.")] = True,
    as_json: AsJson = False,
) -> None:
    """Start Emily in the background and wait until she can think; her memory may follow a moment later.

    Example: emily up --port 9000
    """
    layout = Layout(
        state_dir=state_dir.absolute(),
        bus_port=bus_port,
        http_port=port,
        seed=seed,
        memory=memory,
        backups=backups,
    )
    before = launch.running(layout)
    started = time.monotonic()
    if before is None:
        with progress_bar(quiet=as_json) as progress:
            launch.up(layout, progress)
    report = describe(launch.require_running(layout).layout)
    if as_json:
        print_json(report)
        return
    if before is None:
        out.print(f"Emily is up after {time.monotonic() - started:.1f} s: {report.http} (API page: /docs)")
    else:
        out.print(f"Emily was up already: {report.http}")


@reports_errors
def down(
    state_dir: StateDir = DEFAULT_STATE_DIR,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stop Emily: she finishes what she holds and says goodbye.

    Example: emily down
    """
    stopped = launch.down(Layout(state_dir=state_dir.absolute()))
    if as_json:
        print_json({"stopped": stopped})
    elif not quiet:
        out.print("Emily is down; her state stays." if stopped else "Emily was not up.")


@reports_errors
def status(state_dir: StateDir = DEFAULT_STATE_DIR, as_json: AsJson = False) -> None:
    """Show every part: its state, readiness, restarts and memory. Exit 0 only when all are ready.

    Example: emily status --json
    """
    running = launch.require_running(Layout(state_dir=state_dir.absolute()))
    report = describe(running.layout)
    if as_json:
        print_json(report)
    else:
        out.print(_table(report))
        out.print(f"up for {report.uptime_s:.0f} s; HTTP {report.http}; log {running.layout.log}")
    if not report.ready:
        for part in report.parts:
            if not part.ready:
                err.print(f"{part.name} is not ready: {part.lacks}", highlight=False)
        raise PartialAnswer("not every part is ready", f"look into {running.layout.log}")


def describe(layout: Layout) -> SystemReport:
    """Every part of the running system, measured now."""
    running = launch.require_running(layout)
    seen = {(part.namespace, part.name): part for part in running.parts}
    rows = []
    for part in parts(running.layout):
        ready, lacks = launch.readiness(running.layout, part)
        status = seen.get((part.namespace, part.name), _unseen(part))
        rows.append(
            PartReport(
                name=part.name,
                namespace=part.namespace,
                state=status.state,
                ready=ready,
                lacks=lacks,
                pid=status.pid,
                restarts=status.restarts,
                memory_mb=_memory_mb(status.pid),
            )
        )
    return SystemReport(
        up=True,
        ready=all(row.ready for row in rows),
        uptime_s=round(time.time() - running.started_at, 1),
        http=running.layout.http_url,
        parts=tuple(rows),
    )


def _unseen(part: Part) -> PartStatus:
    """Of a part that was wanted a moment ago."""
    return PartStatus(name=part.name, namespace=part.namespace, pid=None, state="waiting", restarts=0)


def _memory_mb(pid: int | None) -> float | None:
    if pid is None:
        return None
    try:
        return round(psutil.Process(pid).memory_info().rss / 1e6, 1)
    except psutil.NoSuchProcess:
        return None


def _table(report: SystemReport) -> Table:
    table = Table("part", "space", "state", "ready", "restarts", "process", "memory")
    for part in report.parts:
        table.add_row(
            part.name,
            part.namespace,
            part.state,
            "[green]yes[/]" if part.ready else "[red]no[/]",
            str(part.restarts),
            str(part.pid or "-"),
            f"{part.memory_mb:.0f} MB" if part.memory_mb else "-",
        )
    return table
