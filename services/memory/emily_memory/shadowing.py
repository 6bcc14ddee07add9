"""Whether a mind's experiences are kept: not those of a shadow, since the active colour lives them too."""

from __future__ import annotations

from emily_bus import AskError, Bus, Subscription
from emily_contracts import Role, StandingRequest
from emily_contracts.topics import CURRENT_STANDING
from emily_runtime.logs import get_logger

ASK_TIMEOUT_S = 1.0

_log = get_logger(__name__)


class Shadowing:
    """What this colour is, as far as it was heard.

    Attributes:
        role: Active until somebody says otherwise.
    """

    def __init__(self) -> None:
        self.role = Role.ACTIVE

    @property
    def keeps(self) -> bool:
        """Whether experiences are to be kept."""
        return self.role is not Role.SHADOW

    async def ask(self, bus: Bus) -> None:
        """Ask what this colour is; where nobody tells, it stays what it was."""
        try:
            standing = await bus.ask(CURRENT_STANDING, StandingRequest(), timeout=ASK_TIMEOUT_S)
        except AskError as failure:
            _log.info("nobody tells what this colour is", taken_for=self.role.value, reason=str(failure))
        else:
            self._take(standing.role)

    async def follow(self, standings: Subscription) -> None:
        """Heed each change until the subscription ends."""
        async for standing in standings:
            self._take(standing.role)

    def _take(self, role: Role) -> None:
        if role is not self.role:
            _log.info("this colour is something else now", role=role.value, was=self.role.value)
        self.role = role
