"""Flags on a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from emily.memory_view import plain, when


def listed(flags: Iterable[dict[str, Any]]) -> Table:
    """A row for each."""
    table = Table("flag", "gives", "owner", "expires", expand=True)
    table.columns[0].ratio = 2
    table.columns[1].ratio = 2
    for flag in flags:
        table.add_row(plain(flag["key"]), _gives(flag), plain(flag["owner"]), _expires(flag))
    return table


def shown(flag: dict[str, Any]) -> tuple[RenderableType, str]:
    """All that is known of one, and its definition."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    description = flag["definition"]["metadata"].get("description", "")
    for name, value in (
        ("version", Text(str(flag["version"]))),
        ("gives", _gives(flag)),
        ("owner", plain(flag["owner"])),
        ("expires", _expires(flag)),
        ("needs", plain(", ".join(f"{key}={variant}" for key, variant in flag["prerequisites"].items()))),
        ("description", plain(str(description))),
    ):
        if value.plain:
            table.add_row(Text(name, style="dim"), value)
    return Group(plain(flag["key"]), table), json.dumps(flag["definition"], indent=2)


def told(changes: Iterable[dict[str, Any]]) -> RenderableType:
    """What was done, newest first, with the lines that changed."""
    table = Table("revision", "change", expand=True, show_lines=True)
    table.columns[1].ratio = 1
    for change in changes:
        at = datetime.fromisoformat(change["at"])
        head = f"{change['action']} by {change['author']}, {when(at)}, version {change['version']}"
        lines = [Text(line, style="green" if line[0] == "+" else "red") for line in _difference(change)]
        reason = [plain(change["reason"])] if change["reason"] else []
        table.add_row(str(change["revision"]), Group(plain(head), *reason, *lines))
    return table


def _gives(flag: dict[str, Any]) -> Text:
    definition = flag["definition"]
    if not flag["enabled"]:
        return Text("killed: the code's default", style="red")
    default = definition.get("defaultVariant") or "the code's default"
    rule = definition.get("targeting") or {}
    shares = rule.get("fractional")
    if isinstance(shares, list) and all(_is_share(share) for share in shares):
        total = sum(share[1] for share in shares) or 1
        words = ", ".join(f"{share[0]} {100 * share[1] / total:g} %" for share in shares)
        return plain(words)
    return plain(f"by a rule, else {default}" if rule else str(default))


def _is_share(share: Any) -> bool:
    return isinstance(share, list) and len(share) == 2 and isinstance(share[1], int)


def _expires(flag: dict[str, Any]) -> Text:
    return Text(flag["expires"] or "never", style="bold yellow" if flag["expired"] else "")


def _difference(change: dict[str, Any]) -> Iterator[str]:
    before, after = (change[side] or {} for side in ("before", "after"))
    for name in (*before, *(name for name in after if name not in before)):
        if before.get(name) != after.get(name):
            for sign, side in (("-", before), ("+", after)):
                if name in side:
                    yield f"{sign} {name}: {json.dumps(side[name])}"
