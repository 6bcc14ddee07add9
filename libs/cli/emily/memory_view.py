"""Memories on a terminal: tables of one line each, or all that is known of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from emily_contracts import Episode, Recall
from emily_contracts.curation import Erasure, History, Memory, Stats
from emily_contracts.upkeeping import Consolidation, Tidying
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

COMPONENTS = ("dense", "lexical", "affect", "recency", "importance", "use")
_STYLES = {"retracted": "red", "forgotten": "yellow", "superseded": "cyan"}


def plain(text: str) -> Text:
    """A text that can't steer the terminal, and is no markup."""
    return Text("".join(each if each.isprintable() else " " if each.isspace() else "�" for each in text))


def when(at: datetime | None) -> str:
    """A time in UTC, to the second."""
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def listed(memories: Iterable[Episode], *, scores: bool = False) -> Table:
    """A row for each: what it is, and under it when it happened, its kind, its actor and its id."""
    table = Table(*(("score",) if scores else ()), "memory", expand=True, show_lines=True)
    table.columns[-1].ratio = 1
    for memory in memories:
        first = (_number(memory.score),) if scores else ()
        table.add_row(*first, _entry(memory))
    return table


def explained(episodes: Sequence[Episode]) -> Table:
    """What each score is the weighted sum of; `-` is unknown."""
    table = Table("score", "is the sum of", "memory", expand=True, show_lines=True)
    table.columns[1].no_wrap = True
    table.columns[-1].ratio = 1
    for episode in episodes:
        parts = [f"{name:<10} {_number(getattr(episode.components, name, None))}" for name in COMPONENTS]
        table.add_row(_number(episode.score), "\n".join(parts), _entry(episode))
    return table


def _entry(memory: Episode) -> Text:
    of = f" of {memory.actor}" if memory.actor else ""
    record = f"\n{when(memory.occurred_at)} {memory.kind}{of}\n{memory.id}"
    return Text.assemble(plain(memory.content), (record, "dim"))


def recalled(found: Recall) -> Iterator[str]:
    """How they were found, in sentences."""
    more = "; there are no more" if found.exhausted else ""
    yield f"{len(found.episodes)} recalled, path {found.path}{more}."
    if found.path.startswith("lexical"):
        yield "The embedder is down: only words were looked for."


def shown(memory: Memory) -> RenderableType:
    """All that is known of one."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in _fields(memory):
        table.add_row(Text(name, style="dim"), value)
    return Group(plain(memory.content), table)


def told(history: History) -> RenderableType:
    """Versions, oldest first, and what was done."""
    versions = Table("state", "version", expand=True, show_lines=True)
    versions.columns[0].no_wrap = True
    versions.columns[-1].ratio = 1
    for version in history.versions:
        state = _state(version)
        until = when(version.valid_to) or "further notice"
        holds = f"\nrecorded {when(version.recorded_at)}\nholds from {when(version.valid_from)} until {until}"
        versions.add_row(
            Text(state, style=_STYLES.get(state, "green")),
            Text.assemble(plain(version.content), (f"{holds}\n{version.id}", "dim")),
        )
    changes = Table("at", "what", "memory", "by", "reason")
    for change in history.changes:
        other = "" if change.other is None else str(change.other)
        changes.add_row(when(change.at), change.did, str(change.id), other, plain(change.reason))
    return Group(versions, changes) if history.changes else versions


def counted(stats: Stats) -> RenderableType:
    """Of namespaces and of spaces."""
    namespaces = Table("namespace", "memories", "forgotten", "pinned", "actors", "text")
    for each in stats.namespaces:
        numbers = map(str, (each.memories, each.archived, each.pinned, each.actors))
        span = f"\n{when(each.first_at)}\n{when(each.last_at)}" if each.first_at else ""
        named = Text.assemble(each.namespace, (span, "dim"))
        namespaces.add_row(named, *numbers, f"{each.bytes / 1e6:.1f} MB")
    spaces = Table("space", "answers", "indexed", "hot", "missing")
    spaces.columns[0].no_wrap = True
    for space in stats.spaces:
        numbers = map(str, (space.indexed, space.hot, space.missing))
        meaning = "" if space.semantic else ", without meaning"
        named = Text.assemble(space.key, (f"\n{space.provider} {space.model}{meaning}", "dim"))
        spaces.add_row(named, "yes" if space.active else "no", *numbers)
    return Group(namespaces, spaces, f"schema version {stats.schema_version}")


def erased(erasure: Erasure, actor: str) -> str:
    """In a sentence."""
    would = "would be removed" if erasure.dry_run else "removed"
    least = "at least " if erasure.more else ""
    what = f"{least}{erasure.memories} memories about {actor}, {erasure.derived} derived from them"
    left = "" if erasure.left is None else f" Left when looking again: {erasure.left}."
    return f"{what} and {erasure.vectors} vectors {would}.{left}"


def consolidated(done: Consolidation, *, dry_run: bool) -> Iterator[str]:
    """In sentences."""
    would = "would be " if dry_run else ""
    yield (
        f"{done.merged} of {done.compared} compared memories {would}merged into another,"
        f" {done.summed_up} {would}summed up in {done.summaries} summaries."
    )
    if done.deaf:
        yield f"{done.deaf} sessions wait for the embedder; try again later."
    if done.more:
        yield (
            "It stopped to answer in time, and there may be more: run it again, or let memory take its time"
            " with EMILY_MEMORY_CONSOLIDATE_EVERY_H."
        )


def tidied(done: Tidying) -> str:
    """In a sentence."""
    would = "would be " if done.dry_run else ""
    return (
        f"{done.expired} expired, {done.displaced} beyond the budget and {done.outdated} outdated summaries"
        f" {would}forgotten; {done.purged} and {done.versions} versions of them {would}purged."
    )


def _fields(memory: Memory) -> Iterable[tuple[str, Text]]:
    for name in memory.__struct_fields__:
        value: Any = getattr(memory, name)
        if name in {"content", "score", "components"} or value is None or value in ((), {}):
            continue
        if isinstance(value, datetime):
            text = when(value)
        elif isinstance(value, dict):
            text = ", ".join(f"{key}={word}" for key, word in value.items())
        elif isinstance(value, tuple):
            text = ", ".join(map(str, value))
        else:
            text = str(value)
        yield name, plain(text)


def _state(memory: Memory) -> str:
    if memory.retracted_at is not None:
        return "retracted"
    if memory.archived_at is not None:
        return "forgotten"
    return "held" if memory.superseded_by is None else "superseded"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
