"""The router as the deployer sees it: which colour answers whom, read and changed over the bus."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

import anyio
import anyio.to_thread
from emily_bus import AskError, Bus, ErrorReply
from emily_contracts.routing import ChangeTraffic, ColourStatus, RoutingTable, Traffic, TrafficRequest
from emily_contracts.topics import CHANGE_TRAFFIC, CURRENT_TRAFFIC
from emily_runtime.secrets import SecretRefused, SecretSource, SecretUnavailable
from emily_runtime.tokens import TokensUnreadable, first_token

from emily_deployer.errors import StepFailed

ASK_TIMEOUT_S = 2.0
CHANGE_TIMEOUT_S = 5.0
ATTEMPTS = 5
TRIES = 3
TRY_PAUSE_S = 0.3


class Roles(NamedTuple):
    """What each colour is to do."""

    active: str
    canary: str | None = None
    weight: int = 0
    shadow: str | None = None

    @classmethod
    def of(cls, table: RoutingTable) -> Roles:
        """By a routing table."""
        return cls(table.active, table.canary, table.weight, table.shadow)


class Switchboard(Protocol):
    """What directs the traffic. Each method raises `StepFailed` when it does not answer or refuses."""

    async def now(self) -> Traffic:
        """The routing table and how the colours are."""

    async def direct(
        self, roles: Roles, reason: str, *, handover: Literal["state", "none"] = "state"
    ) -> None:
        """Give the colours these roles; nothing happens when they have them."""


class Router:
    """The real one, asked in the root namespace.

    Args:
        bus: In the root namespace.
        token: Holds `TOKEN`, or `NAME TOKEN`, of who may direct the traffic; read at each change.
    """

    def __init__(self, bus: Bus, token: SecretSource) -> None:
        self._bus = bus
        self._token_source = token

    async def now(self) -> Traffic:
        """The routing table and how the colours are."""
        try:
            return await self._bus.ask(CURRENT_TRAFFIC, TrafficRequest(), timeout=ASK_TIMEOUT_S)
        except AskError as failure:
            raise StepFailed(f"the router does not tell its table: {failure}") from None

    async def direct(
        self, roles: Roles, reason: str, *, handover: Literal["state", "none"] = "state"
    ) -> None:
        """Compare and set; looked at again when somebody else was faster."""
        said = ""
        for _ in range(ATTEMPTS):
            table = (await self.now()).table
            if Roles.of(table) == roles:
                return
            change = ChangeTraffic(
                token=await self._token(),
                version=table.version,
                handover=handover,
                reason=reason[:1000],
                **roles._asdict(),
            )
            try:
                await self._bus.ask(CHANGE_TRAFFIC, change, timeout=CHANGE_TIMEOUT_S)
            except ErrorReply as refusal:
                said = str(refusal)
                if (await self.now()).table.version == table.version:
                    break
            except AskError as failure:
                said = str(failure)
        if Roles.of((await self.now()).table) != roles:
            raise StepFailed(f"the router does not direct traffic anew: {said}")

    async def _token(self) -> str:
        try:
            return await anyio.to_thread.run_sync(first_token, self._token_source)
        except (SecretRefused, SecretUnavailable, TokensUnreadable) as failure:
            raise StepFailed(f"the router's token: {failure}") from None


async def directed(switchboard: Switchboard, roles: Roles, reason: str) -> None:
    """Give the colours these roles, with their minds; asked again where a mind was too busy to move at once.

    Raises:
        StepFailed: It does not work in a few attempts either.
    """
    for _ in range(TRIES - 1):
        try:
            await switchboard.direct(roles, reason)
        except StepFailed:
            await anyio.sleep(TRY_PAUSE_S)
        else:
            return
    await switchboard.direct(roles, reason)


def status_of(traffic: Traffic, colour: str) -> ColourStatus | None:
    """How a colour is; none when the router does not know it."""
    return next((each for each in traffic.colours if each.name == colour), None)
