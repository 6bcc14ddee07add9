"""What a person is shown of backups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from emily_contracts.backups import Attempt, BackupStatus, Drill, Read, Snapshot
from rich.console import RenderableType
from rich.table import Table

_COLOURS = {"good": "green", "never": "red", "stale": "yellow", "failing": "red"}
MB = 1e6


def status(found: BackupStatus) -> Iterable[RenderableType]:
    """Every job, then what should be known of the repository."""
    table = Table("job", "state", "newest", "proved", "size", "read for damage", expand=False)
    for job in found.jobs:
        size = "-" if job.success is None else f"{job.success.files} files, {job.success.size / MB:.1f} MB"
        table.add_row(
            job.job,
            f"[{_COLOURS[job.state]}]{job.state}[/]",
            age(job.age_s),
            age(job.drill_age_s),
            size,
            "[red]damaged[/]" if job.read.damaged else f"{job.read.part} of {job.parts} parts",
        )
    yield table
    for job in found.jobs:
        if job.detail:
            yield f"{job.job}: {job.detail}"
        if job.success is not None and job.success.skipped:
            yield f"{job.job}: {_skipped(job.success)}"
    if found.work is not None:
        yield f"now: {found.work.what} of {found.work.job}, {found.work.step}"
    yield f"Repository: {found.repository}"
    yield f"Nothing opens it but {found.password_file}: keep a copy of that file elsewhere."
    if found.same_disk:
        yield "It lies on the disk that it should save: copy it elsewhere, or name another place in a plan."


def made(found: dict[str, Any]) -> Iterable[str]:
    """A repository, made or not."""
    yield f"{'Made' if found['made'] else 'There already:'} {found['repository']}."
    yield f"Nothing opens it but {found['password_file']}: keep a copy of that file elsewhere."


def backed_up(attempt: Attempt) -> str:
    """A run that is complete."""
    took = (attempt.ended_at - attempt.started_at).total_seconds() if attempt.ended_at else 0
    return (
        f"Backed up {attempt.files} files, {attempt.size / MB:.1f} MB"
        f"{', and the database' if attempt.dump else ''}, in {took:.1f} s; "
        f"the repository grew by {attempt.added / MB:.1f} MB (snapshot {attempt.snapshot[:8]})."
        f"{' ' + _skipped(attempt) if attempt.skipped else ''}"
    )


def drilled(drill: Drill) -> str:
    """A drill that proved the backup."""
    return (
        f"Proved: {drill.files} files restored, {drill.compared} of them compared byte by byte, "
        f"{drill.changed} changed since; {drill.tables} tables with {drill.rows} rows are the same."
    )


def checked(read: Read) -> str:
    """A check that found no damage."""
    return f"Read everything, at {read.at}: no damage."


def snapshots(found: Iterable[Snapshot]) -> Table:
    """A row each."""
    table = Table("snapshot", "at", "kind", "complete", "size")
    for each in found:
        table.add_row(
            each.id[:8],
            f"{each.at.astimezone():%Y-%m-%d %H:%M:%S}",
            each.kind,
            "[green]yes[/]" if each.complete else "[yellow]no[/]",
            f"{each.size / MB:.1f} MB",
        )
    return table


def restored(found: dict[str, Any]) -> Iterable[str]:
    """What was got back, and what to do with it."""
    yield f"Restored snapshot {found['snapshot'][:8]} of {found['at']} to {found['to']}."
    if found["dump"]:
        yield f"The database is in {found['dump']}: load it with pg_restore, or restore with --in-place."
    if found["aside"]:
        yield f"What was there before is in {found['aside']}."
    if found["tables"]:
        yield f"The database was made anew: {found['tables']} tables hold what was backed up."
        yield "Start her with: emily up"


def _skipped(attempt: Attempt) -> str:
    return f"NOT in it: {', '.join(attempt.skipped)}; volumes hold no files, so replicate them."


def age(seconds: float | None) -> str:
    """How long ago, in one unit."""
    if seconds is None:
        return "never"
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"
