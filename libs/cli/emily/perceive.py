"""`emily perceive`: let Emily look at digits, or feel the machine she runs on."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import anyio
import msgspec
import typer
from emily_bus import Bus
from emily_contracts import Message, Overflow
from emily_contracts.topics import (
    BODY,
    BROADCAST,
    INBOUND_OUTCOME,
    INBOUND_STIMULUS,
    OUTBOUND_DECISION,
    SCENE,
)
from rich.live import Live
from rich.table import Table

from emily import launch
from emily.bus import settings as bus_settings
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
from emily.errors import CommandError
from emily.host_view import HostView
from emily.perception_view import PerceptionView
from emily.recording import Recorder
from emily.system import ABLATIONS, Layout, free_port
from emily.world_process import ROOT_SPACE, run_world

app = typer.Typer(help="Let Emily perceive a world.", no_args_is_help=True)

ALL_DIGITS = 540
BASELINE_SUBJECTS = 8
SECONDS_PER_EPISODE = 2.0
LEAST_DEADLINE_S = 60.0
FRAMES_PER_S = 8
SLOWEST = 16
"""How much slower than asked the host may be read after decisions to throttle."""
LINES_WITHOUT_TERMINAL = 10
TITLES = {"active": "active looks", "random": "random looks", "whole": "whole pictures at once"}

Ablated = Annotated[
    list[str] | None,
    typer.Option(
        "--ablate", help=f"Take a tier out: {', '.join(ABLATIONS)}. Repeatable; uses a system of its own."
    ),
]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy's result."""

    strategy: str
    episodes: int
    accuracy: float
    mean_looks: float
    failed: int
    seconds: float


class DigitsReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `emily perceive digits --json` prints."""

    ablated: tuple[str, ...]
    rows: tuple[Row, ...]


@app.command()
@reports_errors
def digits(
    episodes: Annotated[
        int, typer.Option(min=1, max=ALL_DIGITS, help="Unseen test digits to look at.")
    ] = ALL_DIGITS,
    baseline: Annotated[
        int,
        typer.Option(
            min=0,
            max=ALL_DIGITS,
            help="Digits for the comparison with random looks and the whole picture; 0 for none.",
        ),
    ] = 180,
    distractors: Annotated[
        float, typer.Option(min=0, max=1, help="Probability of irrelevant flashes.")
    ] = 0.3,
    noise: Annotated[
        float, typer.Option(min=0, max=16, help="Deviation of the noise on the greys of 0 to 16.")
    ] = 0.0,
    shift: Annotated[
        str, typer.Option(help="Pixels right and down that pictures are moved, as 1,0.")
    ] = "0,0",
    only: Annotated[
        str, typer.Option(help="Show these digits only, as 3,8; she is not told, but she remembers.")
    ] = "",
    ablate: Ablated = None,
    record: Annotated[Path | None, typer.Option(help="Record the stream for: emily replay FILE")] = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Look at handwritten digits pixel by pixel, decide what they are, and learn.

    Example: emily perceive digits --episodes 100 --ablate workspace
    """
    shift_x, shift_y = _shift(shift)
    ablated = tuple(dict.fromkeys(ablate or ()))
    unknown = [tier for tier in ablated if tier not in ABLATIONS]
    if unknown:
        raise CommandError(
            f"--ablate {unknown[0]}: there is no such tier", f"choose from {', '.join(ABLATIONS)}"
        )
    hardships: dict[str, Any] = {
        "distractors": distractors,
        "noise": noise,
        "shift_x": shift_x,
        "shift_y": shift_y,
    }
    if only:
        hardships["only"] = _digits(only)
    with _system(Layout(state_dir=state_dir.absolute()), ablated, quiet=as_json) as layout:
        runs: list[dict[str, Any]] = [{"strategy": "active", "episodes": episodes}]
        if baseline:
            common = {"episodes": baseline, "subjects": BASELINE_SUBJECTS, "learn": False}
            runs += [{"strategy": "random", **common}, {"strategy": "whole", **common}]
        rows = []
        for run in runs:
            recorder = record if run["strategy"] == "active" else None
            rows.append(anyio.run(_look, layout, {**hardships, **run}, ablated, recorder, as_json))
    report = DigitsReport(ablated=ablated, rows=tuple(rows))
    if as_json:
        print_json(report)
        return
    out.print(_table(report))
    out.print(
        "Try next: emily perceive digits --ablate workspace | emily perceive host | emily watch",
        soft_wrap=True,
    )


@app.command()
@reports_errors
def host(
    ticks: Annotated[int, typer.Option(min=1, help="Readings to take.")] = 15,
    interval: Annotated[float, typer.Option(min=0.05, help="Seconds between two readings.")] = 1.0,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Feel load, memory, disk and temperature of this machine; the body reacts, a decision comes out.

    Example: emily perceive host --ticks 30
    """
    layout = launch.require_running(Layout(state_dir=state_dir.absolute())).layout
    view = HostView()
    settings = {"world": "host", "ticks": ticks, "interval_s": interval}
    deadline = LEAST_DEADLINE_S + SLOWEST * ticks * interval
    summary = anyio.run(_follow, layout, settings, view, None, as_json, deadline)
    if as_json:
        print_json({"summary": summary, "moments": view.moments})
        return
    out.print(view.render())
    if not view.moments:
        raise CommandError("no decision was heard", "look into the log, or run: emily status")


async def _look(
    layout: Layout, settings: dict[str, Any], ablated: tuple[str, ...], record: Path | None, quiet: bool
) -> Row:
    run = f"{settings['strategy']}-{secrets.token_hex(4)}"
    without = f", without {' and '.join(ablated)}" if ablated else ""
    view = PerceptionView(run, f"Emily looks at digits: {TITLES[settings['strategy']]}{without}")
    deadline = LEAST_DEADLINE_S + SECONDS_PER_EPISODE * settings["episodes"]
    summary = await _follow(
        layout,
        {"world": "digits", "run": run, "seed": layout.seed, **settings},
        view,
        record,
        quiet,
        deadline,
    )
    return Row(
        strategy=settings["strategy"],
        episodes=summary["episodes"],
        accuracy=summary["accuracy"],
        mean_looks=summary["mean_looks"],
        failed=summary["failed"],
        seconds=summary["seconds"],
    )


async def _follow(
    layout: Layout,
    settings: dict[str, Any],
    view: PerceptionView | HostView,
    record: Path | None,
    quiet: bool,
    deadline_s: float,
) -> dict[str, Any]:
    """Run the world and show what goes by on the bus; observers never slow the mind down."""
    bus = bus_settings(layout)
    async with (
        Bus.open(bus, namespace=ROOT_SPACE, name="perceive") as root,
        Bus.open(bus, namespace=f"{ROOT_SPACE}/{layout.colour}", name="perceive") as colour,
        root.subscribe(
            SCENE, INBOUND_STIMULUS, OUTBOUND_DECISION, INBOUND_OUTCOME, overflow=Overflow.DROP_OLDEST
        ) as outside,
        colour.subscribe(BODY, BROADCAST, overflow=Overflow.DROP_OLDEST) as inside,
        anyio.create_task_group() as tasks,
    ):
        for heard in (outside, inside):
            tasks.start_soon(_hear, heard, view)
        tasks.start_soon(_show, view, quiet)
        if record is None:
            summary = await run_world(layout, settings, deadline_s=deadline_s)
        else:
            async with Recorder(colour, layout).to(record):
                summary = await run_world(layout, settings, deadline_s=deadline_s)
        await anyio.sleep(0.1)
        tasks.cancel_scope.cancel()
    return summary


async def _hear(messages: Any, view: PerceptionView | HostView) -> None:
    async for message in messages:
        heard: Message = message
        view.hear(heard)


async def _show(view: PerceptionView | HostView, quiet: bool) -> None:
    if quiet:
        return
    if not out.is_terminal:
        await _report(view)
        return
    with Live(view.render(), console=out, refresh_per_second=FRAMES_PER_S, transient=True) as live:
        while True:
            await anyio.sleep(1 / FRAMES_PER_S)
            live.update(view.render())


async def _report(view: PerceptionView | HostView) -> None:
    told = 0
    while True:
        await anyio.sleep(0.2)
        step = max(1, view.total // LINES_WITHOUT_TERMINAL)
        if view.episodes >= told + step:
            told = view.episodes
            err.print(view.line(), highlight=False, soft_wrap=True)


@contextmanager
def _system(layout: Layout, ablated: tuple[str, ...], *, quiet: bool) -> Iterator[Layout]:
    """The running system; with tiers taken out, a system of its own that shares the trained models."""
    if not ablated:
        yield launch.require_running(layout).layout
        return
    running = launch.running(layout)
    seed = running.layout.seed if running else layout.seed
    with (
        tempfile.TemporaryDirectory(prefix="emily-ablated-") as folder,
        progress_bar(quiet=quiet) as progress,
    ):
        launch.prepare(Layout(state_dir=layout.state_dir, seed=seed), progress)
        own = Layout(
            state_dir=Path(folder),
            bus_port=free_port(),
            http_port=free_port(),
            ablate=ablated,
            seed=seed,
            memory=False,
            delivery=False,
        )
        own.models.symlink_to(layout.models)
        with launch.temporarily(own, progress) as status:
            yield status.layout


def _shift(text: str) -> tuple[int, int]:
    try:
        x, y = (int(part) for part in text.split(","))
    except ValueError:
        raise CommandError(
            f"--shift {text}: two whole numbers with a comma are needed", "such as --shift 1,0"
        ) from None
    return x, y


def _digits(text: str) -> str:
    digits = [digit.strip() for digit in text.split(",")]
    if any(len(digit) != 1 or not digit.isdecimal() for digit in digits):
        raise CommandError(f"--only {text}: digits with commas are needed", "such as --only 3,8")
    return ",".join(digits)


def _table(report: DigitsReport) -> Table:
    title = "without " + " and ".join(report.ablated) if report.ablated else None
    table = Table(
        "looks", "digits", "accuracy", "looks a digit (of 64 pixels)", "failed", "seconds", title=title
    )
    for row in report.rows:
        table.add_row(
            row.strategy,
            str(row.episodes),
            f"{row.accuracy:.3f}",
            "all at once" if row.strategy == "whole" else f"{row.mean_looks:.2f}",
            str(row.failed),
            f"{row.seconds:.1f}",
        )
    return table
