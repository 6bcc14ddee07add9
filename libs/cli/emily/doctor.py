"""`emily doctor`: checks the environment and says what to do."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Literal

import anyio
import msgspec
import psutil
import typer
from emily_bus import Bus, BusError, BusSettings
from emily_bus.testing import router
from emily_contracts import Health, HealthRequest, uuid7
from emily_contracts.topics import HEALTH
from rich.table import Table

from emily import launch
from emily.console import DEFAULT_STATE_DIR, AsJson, StateDir, out, print_json, progress_bar, reports_errors
from emily.errors import PartialAnswer
from emily.system import COGNITIVE, Layout, port_is_free, restic_program

NEEDED_DISK_MB = 500
NEEDED_MEMORY_MB = 800


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One check's result.

    Attributes:
        verdict: `bad` stops Emily from working; `note` is worth knowing.
    """

    check: str
    verdict: Literal["good", "note", "bad"]
    detail: str
    remedy: str = ""


Check = Callable[[Layout], Finding]


@reports_errors
def doctor(
    state_dir: StateDir = DEFAULT_STATE_DIR,
    port: Annotated[int, typer.Option(help="HTTP port to check.")] = Layout().http_port,
    bus_port: Annotated[int, typer.Option(help="Bus port to check.")] = Layout().bus_port,
    as_json: AsJson = False,
) -> None:
    """Check Python, packages, ports, disk, memory and the bus, and say what to do. Exit 6 when one is bad.

    Example: emily doctor --json
    """
    layout = Layout(state_dir=state_dir.absolute(), http_port=port, bus_port=bus_port)
    findings = []
    with progress_bar(quiet=as_json) as progress:
        for done, (title, check) in enumerate(CHECKS):
            progress(title, done, len(CHECKS))
            findings.append(check(layout))
    if as_json:
        print_json(findings)
    else:
        out.print(_table(findings))
    bad = [finding.check for finding in findings if finding.verdict == "bad"]
    if bad:
        raise PartialAnswer(
            f"{len(bad)} checks are bad: {', '.join(bad)}", "do what the table says, then try again"
        )
    if not as_json:
        out.print("Everything Emily needs is here.")


def _python(_: Layout) -> Finding:
    version = platform.python_version()
    return Finding(
        check="python", verdict="good", detail=f"{version} on {platform.system()} {platform.machine()}"
    )


def _packages(_: Layout) -> Finding:
    missing = []
    modules = (
        "zenoh",
        "numpy",
        "litestar",
        "sklearn",
        "emily_world",
        "emily_router",
        "emily_flag_service",
        *(f"emily_{name}" for name in COGNITIVE),
    )
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as failure:
            missing.append(f"{module} ({failure})")
    if missing:
        return Finding(
            check="packages", verdict="bad", detail="missing: " + ", ".join(missing), remedy="make setup"
        )
    return Finding(check="packages", verdict="good", detail=f"{len(modules)} import")


def _disk(layout: Layout) -> Finding:
    folder = next(path for path in (layout.state_dir, *layout.state_dir.parents) if path.exists())
    free = shutil.disk_usage(folder).free // 10**6
    if not os.access(folder, os.W_OK):
        return Finding(
            check="state folder",
            verdict="bad",
            detail=f"{folder} is not writable",
            remedy="choose another with --state-dir",
        )
    if free < NEEDED_DISK_MB:
        return Finding(
            check="state folder",
            verdict="bad",
            detail=f"{free} MB free in {folder}",
            remedy=f"free {NEEDED_DISK_MB} MB, or choose another with --state-dir",
        )
    return Finding(check="state folder", verdict="good", detail=f"{layout.state_dir}, {free} MB free")


def _memory(_: Layout) -> Finding:
    available = psutil.virtual_memory().available // 10**6
    if available < NEEDED_MEMORY_MB:
        return Finding(
            check="memory",
            verdict="bad",
            detail=f"{available} MB available",
            remedy=f"free {NEEDED_MEMORY_MB} MB",
        )
    return Finding(check="memory", verdict="good", detail=f"{available} MB available, {os.cpu_count()} cores")


def _ports(layout: Layout) -> Finding:
    if launch.running(layout):
        return Finding(check="ports", verdict="good", detail="Emily is up and holds them")
    taken = [str(port) for port in (layout.bus_port, layout.http_port) if not port_is_free(port)]
    if taken:
        return Finding(
            check="ports",
            verdict="bad",
            detail=f"{', '.join(taken)} taken on 127.0.0.1",
            remedy="stop what listens there, or choose others: emily up --port N --bus-port N",
        )
    return Finding(check="ports", verdict="good", detail=f"{layout.bus_port} and {layout.http_port} are free")


def _clock(_: Layout) -> Finding:
    step = time.get_clock_info("monotonic").resolution
    if time.time() < 1.7e9:
        return Finding(
            check="clock", verdict="bad", detail=time.ctime(), remedy="set the clock: ids carry the time"
        )
    return Finding(
        check="clock",
        verdict="good",
        detail=f"{time.strftime('%Y-%m-%d %H:%M:%S %Z')}, resolution {step * 1e9:.0f} ns",
    )


def _restic(_: Layout) -> Finding:
    program = restic_program() or shutil.which("restic")
    if program is None:
        return Finding(
            check="restic",
            verdict="note",
            detail="not here: nothing is backed up",
            remedy="on Debian: infra/debian/unpack.sh .tools/bin restic:usr/bin/restic",
        )
    return Finding(check="restic", verdict="good", detail=f"{program}; backups are made every hour")


def _docker(_: Layout) -> Finding:
    if shutil.which("docker") is None:
        return Finding(
            check="docker", verdict="note", detail="not installed", remedy="only docker compose needs it"
        )
    return Finding(check="docker", verdict="good", detail="client installed; embedded Emily does not need it")


def _bus(_: Layout) -> Finding:
    started = time.monotonic()
    try:
        with router() as endpoint:
            anyio.run(_hear_oneself, endpoint)
    except (BusError, RuntimeError, TimeoutError, OSError) as failure:
        return Finding(
            check="bus", verdict="bad", detail=str(failure), remedy="reinstall: make clean, then make setup"
        )
    return Finding(
        check="bus",
        verdict="good",
        detail=f"a router started and answered in {time.monotonic() - started:.1f} s",
    )


async def _hear_oneself(endpoint: str) -> None:
    async def answer(request: HealthRequest) -> Health:
        at = datetime.now(UTC)
        identity = uuid7(at)
        return Health(
            id=identity,
            at=at,
            stimulus_id=identity,
            service=request.service,
            phase="ready",
            ready=True,
            version="0",
            uptime_s=0.0,
        )

    async with (
        Bus.open(BusSettings(endpoint=endpoint), namespace="emily", name="doctor") as bus,
        bus.serve(HEALTH, answer),
    ):
        await bus.ask(HEALTH, HealthRequest(service="doctor"), timeout=2.0)


CHECKS: tuple[tuple[str, Check], ...] = (
    ("Python", _python),
    ("packages", _packages),
    ("state folder", _disk),
    ("memory", _memory),
    ("ports", _ports),
    ("clock", _clock),
    ("bus", _bus),
    ("restic", _restic),
    ("docker", _docker),
)


def _table(findings: list[Finding]) -> Table:
    colours = {"good": "green", "note": "yellow", "bad": "red"}
    table = Table("check", "verdict", "detail", "what to do")
    for finding in findings:
        table.add_row(
            finding.check, f"[{colours[finding.verdict]}]{finding.verdict}[/]", finding.detail, finding.remedy
        )
    return table
