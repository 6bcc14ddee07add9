"""What a person is shown of pools, datasets and their snapshots."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from emily_contracts.snapshots import DatasetSnapshot, ReplicatedDataset, StorageStatus
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))
MB = 1e6


def status(found: StorageStatus) -> Iterable[RenderableType]:
    """Pools, then datasets, then what is wrong, then where they are sent, then what is lost."""
    if found.idle:
        yield f"The zfs-agent does nothing: {found.idle}"
    if found.refused:
        yield f"The desired state before this one is in force: {found.refused}"
    if found.pools:
        yield _pools(found)
    if found.datasets:
        table = Table("dataset", "keeps", "newest", "snapshots", "held")
        for each in found.datasets:
            age = "[red]never[/]" if each.age_s is None else f"{ago(each.age_s)} ago"
            table.add_row(escape(each.dataset), each.policy, age, str(each.snapshots), str(each.held))
        yield table
    for each in found.datasets:
        if each.problem:
            yield f"{each.dataset}: {each.problem}"
    if found.replications:
        yield _replications(found.replications)
    if found.zfs:
        yield f"ZFS {found.zfs}" + "".join(f"; {words}" for words in found.lost)


def snapshots(found: Sequence[DatasetSnapshot]) -> Iterable[RenderableType]:
    """A table for each dataset, a row for each snapshot, with what becomes of it."""
    if not found:
        yield "There are none."
    for dataset, group in groupby(found, key=lambda each: each.snapshot.partition("@")[0]):
        table = Table("snapshot", "at", "used", "held", "what becomes of it", title=escape(dataset))
        table.title_justify = "left"
        table.columns[0].no_wrap = True
        for each in group:
            held = ", ".join(each.tags) or (str(each.holds) if each.holds else "-")
            verdict = "[green]kept[/]" if each.keep else "[yellow]destroyed[/]"
            table.add_row(
                escape(each.snapshot.partition("@")[2]),
                f"{each.created_at.astimezone():%Y-%m-%d %H:%M:%S}",
                f"{each.used / MB:.1f} MB",
                escape(held),
                f"{verdict}: {escape(each.reason)}",
            )
        yield table


def changes(found: Sequence[dict[str, Any]]) -> Iterable[RenderableType]:
    """A row for each difference, then what brings each about."""
    table = Table("what", "name", "wanted", "found")
    table.columns[1].overflow = "fold"
    for each in found:
        key, wanted = each["property"], each["wanted"]
        shown = f"{key}={wanted}" if key and wanted else wanted or key
        table.add_row(each["kind"], escape(each["name"]), escape(shown), escape(each["found"]))
    yield table
    for each in found:
        if each["command"]:
            yield f"zfs {shlex.join(each['command'])}"
        else:
            yield f"by hand: {each['name']}: {each['words']}"


def ago(seconds: float) -> str:
    """A span of time in one unit."""
    for length, unit in _UNITS:
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _replications(found: Iterable[ReplicatedDataset]) -> Table:
    table = Table("source", "target", "keeps", "last common snapshot", "lag", "last error", "next run")
    for column in table.columns[:2]:
        column.overflow = "fold"
    for each in found:
        common = "[red]nothing arrived yet[/]"
        if each.age_s is not None:
            common = f"{escape(each.common)}, {ago(each.age_s)} ago"
        error = "none"
        if each.last_error and each.last_error_at is not None:
            when = f"{each.last_error_at.astimezone():%Y-%m-%d %H:%M:%S}"
            error = f"{when}: {escape(each.last_error)}"
            error = f"[red]{error}[/]" if each.problem else f"{error} (over)"
        table.add_row(
            escape(each.dataset),
            escape(each.target),
            each.keep or "all",
            common,
            "-" if each.lag_s is None else ago(each.lag_s),
            error,
            "at the next look" if each.next_at is None else f"{each.next_at.astimezone():%Y-%m-%d %H:%M}",
        )
    return table


def _pools(found: StorageStatus) -> Table:
    table = Table("pool", "health", "used", "scrubbed", "errors")
    now = datetime.now(UTC)
    for pool in found.pools:
        colour = "green" if pool.health == "ONLINE" else "red"
        scrubbed = "-" if pool.scrubbed_at is None else f"{ago((now - pool.scrubbed_at).total_seconds())} ago"
        errors = ", ".join(f"{kind}: {number}" for kind, number in pool.errors.items() if number) or "none"
        table.add_row(
            escape(pool.name),
            f"[{colour}]{pool.health}[/]",
            f"{pool.used:.0%}",
            f"{scrubbed}, runs now" if pool.busy else scrubbed,
            errors,
        )
    return table
