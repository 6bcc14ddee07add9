"""`emily memory migrate`: memory's schema grows to this version while colours go on remembering."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Annotated, NamedTuple

import anyio
import typer
from emily_bus import AskError, Bus, BusSettings, BusUnavailable
from emily_contracts.curation import StatsRequest
from emily_contracts.topics import MEMORY_STATS
from emily_postgres import DatabaseUnavailable, MigrationError, url_of
from emily_postgres.migrating import Database, Planned, Progress
from emily_postgres.migration import Migration, Phase, load
from rich.table import Table

from emily import launch
from emily.bus import settings as bus_settings
from emily.console import DEFAULT_STATE_DIR, AsJson, StateDir, progress_bar, reports_errors, tell
from emily.errors import CommandError, NotUp
from emily.memory_ask import running
from emily.system import Layout

SCHEMA = "memory"
PACKAGE = "emily_memory.store"
"""Where memory keeps its migrations; found by name, as its process is started."""
VERSION_TIMEOUT_S = 5.0
TOLD_EVERY_S = 1.0
_NOBODY = StatsRequest(namespace="nobody")
"""Asks for the version alone: there is nothing to count."""


class Grown(NamedTuple):
    """What is migrated, and who lives on it.

    Attributes:
        living: Number of the last migration that each colour came with; 0 when it does not say.
    """

    schema: Database
    living: dict[str, int]


@reports_errors
def migrate(
    plan: Annotated[
        bool, typer.Option("--plan", help="Show what would be applied, and apply nothing.")
    ] = False,
    contract: Annotated[
        bool,
        typer.Option("--contract", help="Also remove what only older colours need; refused while one lives."),
    ] = False,
    database_url_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Holds the URL of another database than that of the running Emily."
        ),
    ] = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Grow memory's schema to this version; whoever speaks an older one goes on.

    Ctrl-C stops between two steps, and the next run goes on there.

    Example: emily memory migrate --plan
    """
    files = migrations()
    with _failures_told():
        grown = _other(database_url_file) if database_url_file is not None else _own(state_dir)
        if plan:
            _show(grown, files, contract=contract, as_json=as_json)
        else:
            _apply(grown, files, contract=contract, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the command to those of memory."""
    app.command()(migrate)


def migrations() -> tuple[Migration, ...]:
    """Of the memory that is installed here.

    Raises:
        CommandError: None is.
    """
    try:
        return load(resources.files(PACKAGE).joinpath("migrations"))
    except ModuleNotFoundError:
        raise CommandError("memory is not installed here", "install emily-memory beside emily") from None


def _show(grown: Grown, files: tuple[Migration, ...], *, contract: bool, as_json: bool) -> None:
    planned = grown.schema.plan(files, contract=contract, living=grown.living)
    version, speaking = grown.schema.version(), grown.living | grown.schema.speakers()
    tell(
        {"version": version, "living": speaking, "files": planned},
        *(f"{who} lives and speaks version {spoken or 'unknown'}." for who, spoken in speaking.items()),
        *((_listed(planned),) if planned else (f"Nothing to do: the schema is at version {version}.",)),
        as_json=as_json,
    )


def _apply(grown: Grown, files: tuple[Migration, ...], *, contract: bool, as_json: bool) -> None:
    todo = grown.schema.plan(files, contract=contract, living=grown.living)
    with progress_bar(quiet=as_json) as told:
        progress = _progress(told, [each.file for each in todo if each.refused is None])
        applied = grown.schema.migrate(files, contract=contract, living=grown.living, progress=progress)
    waiting = grown.schema.plan(files, contract=contract, living=grown.living)
    version = grown.schema.version()
    done = f"{len(applied)} applied: the schema is at version {version}."
    tell(
        {"version": version, "applied": [each.file for each in applied], "waiting": waiting},
        *(f"applied {each.file}" for each in applied),
        done if applied else f"Nothing to do: the schema is at version {version}.",
        *(f"{each.file} waits: {each.refused}" for each in waiting),
        as_json=as_json,
    )


def _listed(planned: tuple[Planned, ...]) -> Table:
    table = Table("file", "phase", "what becomes of it", expand=True)
    table.columns[0].overflow = "fold"
    table.columns[-1].ratio = 1
    for each in planned:
        refused = None if each.refused is None else f"refused: {each.refused}"
        table.add_row(each.file, each.phase.value, refused or "applied")
    return table


def _progress(told: launch.Progress, todo: list[str]) -> Progress:
    """Each file, and its rows from time to time."""
    at = 0.0

    def follow(migration: Migration, rows: int) -> None:
        nonlocal at
        if rows and time.monotonic() - at < TOLD_EVERY_S:
            return
        at = time.monotonic()
        counted = f": {rows} rows" if migration.phase is Phase.BACKFILL and rows else ""
        before = todo.index(migration.file) if migration.file in todo else 0
        told(f"{migration.file}{counted}", before, len(todo))

    return follow


def _other(file: Path) -> Grown:
    """A database by its URL; who lives on it is who is connected.

    Raises:
        CommandError: The file can't be read.
    """
    try:
        url = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as failure:
        reason = failure.strerror if isinstance(failure, OSError) else "is not text"
        raise CommandError(f"{file}: {reason}", "name a file that holds the URL of the database") from None
    return Grown(Database(url, SCHEMA), {})


def _own(state_dir: Path) -> Grown:
    """The database of the running Emily, and the colours on her bus.

    Raises:
        NotUp: She is not, or has no memory.
    """
    layout = running(state_dir)
    schema = Database(url_of(layout.database), SCHEMA)
    try:
        schema.version()
    except DatabaseUnavailable as failure:
        raise NotUp(f"the database of memory is not up: {failure}", "look at it with: emily status") from None
    return Grown(schema, anyio.run(partial(_living, layout)))


async def _living(layout: Layout) -> dict[str, int]:
    """Every colour whose memory lives, with the version that it says.

    Raises:
        CommandError: The bus does not tell.
    """
    bus = bus_settings(layout)
    try:
        async with Bus.open(bus, namespace="emily", name="memory-command") as root:
            names = await root.living()
        colours = sorted(
            space for space, _, name in (each.rpartition("/") for each in names) if name == "memory"
        )
        return {colour: await _version(bus, colour) for colour in colours}
    except BusUnavailable as failure:
        raise CommandError(f"the bus does not tell who lives: {failure}", "run: emily doctor") from None


async def _version(bus: BusSettings, colour: str) -> int:
    async with Bus.open(bus, namespace=f"emily/{colour}", name="memory-command") as session:
        try:
            return (await session.ask(MEMORY_STATS, _NOBODY, timeout=VERSION_TIMEOUT_S)).schema_version
        except AskError:
            return 0


@contextlib.contextmanager
def _failures_told() -> Iterator[None]:
    try:
        yield
    except MigrationError as failure:
        raise CommandError(str(failure), "what is left is told by: emily memory migrate --plan") from None
    except DatabaseUnavailable as failure:
        raise CommandError(str(failure)) from None
