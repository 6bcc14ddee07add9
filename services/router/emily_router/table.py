"""Which colour a subject's stimuli go to."""

from __future__ import annotations

import msgspec


class RoutingTable(msgspec.Struct, frozen=True, kw_only=True):
    """Where traffic goes.

    Attributes:
        active: The colour that answers.
    """

    active: str


def route(table: RoutingTable, subject: str) -> str:
    """The colour of `subject`: every subject has the active one."""
    return table.active
