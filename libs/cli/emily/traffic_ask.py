"""How `emily traffic` asks the router, and which table a person wants in place of the one that holds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from emily_contracts.routing import BUCKETS, ColourStatus, Role, RoutingTable, Traffic
from msgspec import convert
from msgspec.structs import replace

from emily.asking import Service
from emily.errors import CommandError, NotUp, PartialAnswer
from emily.launch import Progress
from emily.traffic_view import told

ROOT = "/api/v1/traffic"
POLL_S = 0.1
NOBODY = "none"
"""Stands for no colour on the command line."""

Url = Annotated[
    str | None,
    typer.Option(envvar="EMILY_TRAFFIC_URL", help="Of the router; the one of this state folder by default."),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        envvar="EMILY_TRAFFIC_TOKEN_FILE",
        help="Holds the token: TOKEN or NAME TOKEN; else EMILY_TRAFFIC_TOKEN_SECRET refers to it, "
        "or traffic.token in the state folder has it.",
    ),
]
WithoutState = Annotated[
    bool,
    typer.Option(
        "--without-state", help="Leave behind what the minds remember: the colour that had it is dead."
    ),
]
Reason = Annotated[str, typer.Option(help="Why, in your words; kept in the record.")]


class Router:
    """The router as a command sees it. Every method raises `NotUp` or `CommandError`.

    Args:
        token: None looks only.
    """

    def __init__(self, state_dir: Path, *, url: str | None, token: str | None) -> None:
        self._service = Service("router", ROOT, state_dir=state_dir, url=url, token=token)

    def now(self) -> Traffic:
        """The table that holds and how the colours are."""
        return convert(self._service.ask("GET", ""), Traffic)

    def change(self, table: RoutingTable, *, without_state: bool, reason: str) -> Traffic:
        """Let a table hold in place of the one of its version, if that one still does.

        Raises:
            CommandError: Another one holds by now, which is told; or minds could not move.
        """
        order: dict[str, Any] = {
            "version": table.version,
            "active": table.active,
            "canary": table.canary,
            "weight": table.weight,
            "shadow": table.shadow,
            "handover": "none" if without_state else "state",
            "reason": reason,
        }
        try:
            return convert(self._service.ask("PUT", "", order), Traffic)
        except NotUp:
            raise
        except CommandError as refusal:
            held = self.now().table
            if held.version == table.version:
                raise
            raise CommandError(
                f"{refusal.message}: {told(held)}", "ask again if that is what you want to change"
            ) from None

    def drained(self, colour: str, timeout_s: float, progress: Progress) -> Traffic:
        """Traffic once a colour owes no answer.

        Raises:
            PartialAnswer: It still owes some when the time is over.
        """
        deadline = time.monotonic() + timeout_s
        owed_most = 0
        while True:
            traffic = self.now()
            owed = status_of(traffic, colour).in_flight
            if not owed:
                return traffic
            if time.monotonic() > deadline:
                raise PartialAnswer(
                    f"{colour} still owes {owed} answers after {timeout_s:g} s",
                    "no new stimulus goes there; wait longer with --timeout",
                )
            owed_most = max(owed, owed_most)
            progress(f"{colour} owes {owed} answers", owed_most - owed, owed_most)
            time.sleep(POLL_S)


def status_of(traffic: Traffic, colour: str) -> ColourStatus:
    """How a colour is.

    Raises:
        CommandError: The router does not know it.
    """
    for each in traffic.colours:
        if each.name == colour:
            return each
    known = ", ".join(each.name for each in traffic.colours)
    raise CommandError(f"{colour!r} is no colour here", f"known are {known}")


def wanted(
    table: RoutingTable,
    *,
    active: str | None = None,
    canary: str | None = None,
    weight: int | None = None,
    shadow: str | None = None,
) -> RoutingTable:
    """The table with what is said changed and the rest kept; a colour that gets a role gives up its old one.

    Args:
        table: That holds.
        canary: `NOBODY` for none; a new one needs a weight.
        weight: In basis points.
        shadow: `NOBODY` for none.

    Raises:
        CommandError: What is said contradicts itself.
    """
    chosen_active = active or table.active
    chosen_canary = _given(canary, table.canary, taken=(chosen_active,))
    chosen_shadow = _given(shadow, table.shadow, taken=(chosen_active, chosen_canary))
    if chosen_canary is None:
        if weight:
            raise CommandError("--weight: there is no canary", "name one with --canary")
        weight = 0
    elif weight is None:
        if chosen_canary != table.canary:
            raise CommandError(
                f"--canary {chosen_canary}: how many subjects?", "say it with --weight PERCENT"
            )
        weight = table.weight
    return _built(table.version, chosen_active, chosen_canary, weight, chosen_shadow)


def without(table: RoutingTable, colour: str, to: str | None) -> RoutingTable:
    """The table in which a colour gets nothing.

    Args:
        table: That holds.
        to: Who answers in place of the active one; the canary by default.

    Raises:
        CommandError: It is active, and nobody is there to answer for it.
    """
    role = table.role_of(colour)
    if to is not None and role is not Role.ACTIVE:
        raise CommandError(f"--to {to}: {colour} is {role.value}, not active", "leave --to out")
    if role is Role.ACTIVE:
        heir = to or table.canary
        if heir is None or heir == colour:
            raise CommandError(f"{colour} answers everybody", "name who does so instead with --to COLOUR")
        return wanted(table, active=heir)
    if role is Role.CANARY:
        return replace(table, canary=None, weight=0)
    return replace(table, shadow=None) if role is Role.SHADOW else table


def basis_points(percent: str) -> int:
    """A share such as 5, 12.5 or 25% in basis points.

    Raises:
        CommandError: It is none.
    """
    try:
        points = round(float(percent.removesuffix("%")) * BUCKETS / 100)
    except (ValueError, OverflowError):
        points = -1
    if not 0 <= points <= BUCKETS:
        raise CommandError(f"--weight {percent}: is no percentage", "write it as 0 to 100, such as 12.5")
    return points


def _given(said: str | None, held: str | None, *, taken: tuple[str | None, ...]) -> str | None:
    if said is not None:
        return None if said == NOBODY else said
    return None if held in taken else held


def _built(version: int, active: str, canary: str | None, weight: int, shadow: str | None) -> RoutingTable:
    try:
        return RoutingTable(version=version, active=active, canary=canary, weight=weight, shadow=shadow)
    except ValueError as contradiction:
        raise CommandError(str(contradiction), "see what holds with: emily traffic show") from None
