"""How the colours are, as the router sees them."""

from __future__ import annotations

from emily_contracts.routing import ColourStatus, Traffic

from emily_router.ledger import Ledger
from emily_router.routing.minds import TIERS
from emily_router.routing.switchboard import Switchboard


class Colours:
    """Tells who is there, who owes what, and what a shadow is worth.

    Attributes:
        alive: Names of the living services as the root space sees them, such as `blue/reflex`.
    """

    def __init__(self, board: Switchboard, ledger: Ledger) -> None:
        self.alive: set[str] = set()
        self._board = board
        self._ledger = ledger

    def absent(self, colour: str) -> tuple[str, ...]:
        """Tiers of a colour that are not alive."""
        return tuple(tier for tier in TIERS if f"{colour}/{tier}" not in self.alive)

    def all_absent(self) -> dict[str, tuple[str, ...]]:
        """Tiers that are not alive, by colour."""
        return {colour: self.absent(colour) for colour in self._board.lanes}

    def traffic(self) -> Traffic:
        """The routing table and how every colour is."""
        return Traffic(table=self._board.table, colours=tuple(map(self._status, self._board.lanes)))

    def _status(self, colour: str) -> ColourStatus:
        comparison = self._board.comparison
        if comparison is not None and comparison.shadow != colour:
            comparison = None
        return ColourStatus(
            name=colour,
            role=self._board.table.role_of(colour),
            in_flight=self._ledger.owed_by(colour),
            absent=self.absent(colour),
            compared=comparison.compared if comparison else 0,
            agreed=comparison.agreed if comparison else 0,
        )
