"""How deploys are shown to a person."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.table import Table

COLOURS = {"succeeded": "green", "rolled back": "red", "paused": "yellow"}


def planned(plan: dict[str, Any]) -> list[str]:
    """The steps of a plan."""
    runs = f" ({plan['old_version']})" if plan["old_version"] else ""
    head = f"{plan['old']}{runs} answers; {plan['new']} is to run {plan['release']}:"
    return [head, *(f"  {number}. {step}" for number, step in enumerate(plan["steps"], start=1))]


def listed(deploys: list[dict[str, Any]]) -> Table:
    """One row a deploy."""
    table = Table("began", "version", "by", "state", "step", "what was last found out", "id", expand=True)
    table.columns[5].ratio = 1
    for each in deploys:
        colour = COLOURS.get(each["state"], "default")
        table.add_row(
            _moment(each["began_at"]),
            each["version"],
            each["by"],
            f"[{colour}]{each['state']}[/]",
            each["step"],
            each["words"],
            each["id"],
        )
    return table


def shown(deploy: dict[str, Any]) -> tuple[Table, str]:
    """Everything that was done in a deploy."""
    table = Table("when", "who", "step", "what", "why", expand=True)
    table.columns[4].ratio = 1
    for act in deploy["acts"]:
        table.add_row(_moment(act["at"]), act["who"], act["step"], act["what"], act["why"])
    return table, f"{deploy['version']}: {deploy['state']}, {deploy['words']}"


def running(colours: dict[str, str]) -> str:
    """What runs now."""
    return "; ".join(f"{colour} runs {release}" for colour, release in sorted(colours.items()))


def differing(difference: dict[str, Any]) -> Table:
    """One row for each thing that differs."""
    table = Table("what", difference["old"], difference["new"])
    for name, (old, new) in difference["changed"].items():
        table.add_row(name, old or "-", new or "-")
    return table


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}"
