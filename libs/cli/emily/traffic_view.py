"""How traffic is shown to a person."""

from __future__ import annotations

from emily_contracts.routing import BUCKETS, ColourStatus, Role, RoutingTable, Traffic
from rich.markup import escape
from rich.table import Table

STYLES = {Role.ACTIVE: "bold green", Role.CANARY: "yellow", Role.SHADOW: "magenta", Role.IDLE: "dim"}


def shown(traffic: Traffic) -> tuple[Table, str]:
    """One row a colour, and which table that is."""
    table = Table("colour", "is", "answers", "owes", "down", "as a shadow agreed")
    for each in traffic.colours:
        style = STYLES[each.role]
        absent = f"[red]{escape(', '.join(each.absent))}[/]" if each.absent else "-"
        table.add_row(
            escape(each.name),
            f"[{style}]{each.role.value}[/]",
            share(traffic.table, each.role),
            str(each.in_flight),
            absent,
            agreement(each),
        )
    return table, f"version {traffic.table.version}: {told(traffic.table)}"


def told(table: RoutingTable) -> str:
    """Where stimuli go, in words."""
    said = [f"{table.active} answers {share(table, Role.ACTIVE)}"]
    if table.canary is not None:
        said.append(f"{table.canary} {share(table, Role.CANARY)}")
    if table.shadow is not None:
        said.append(f"{table.shadow} thinks about copies")
    return ", ".join(said)


def share(table: RoutingTable, role: Role) -> str:
    """How many of the subjects a role answers."""
    answered = {Role.ACTIVE: BUCKETS - table.weight, Role.CANARY: table.weight}.get(role)
    return "-" if answered is None else f"{answered * 100 / BUCKETS:g} %"


def agreement(colour: ColourStatus) -> str:
    """How often a shadow chose as the active colour did."""
    if not colour.compared:
        return "-"
    return f"{colour.agreed * 100 / colour.compared:.1f} % of {colour.compared:,}"
