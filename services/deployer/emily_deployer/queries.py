"""What the deployer answers on the bus, in the root namespace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from emily_bus import AskRefused, Bus
from emily_contracts.deploying import DeployCommand, DeployOrder, DeployRequest, DeployStatus
from emily_contracts.topics import COMMAND_DEPLOY, CURRENT_DEPLOY, ORDER_DEPLOY
from emily_runtime.tokens import Tokens, TokensUnreadable, Unauthorised

from emily_deployer.api.views import status
from emily_deployer.desk import Desk
from emily_deployer.errors import DeployerError, NoDeploy
from emily_deployer.order import Order


@asynccontextmanager
async def answering(bus: Bus, desk: Desk, tokens: Tokens) -> AsyncIterator[None]:
    """Answer for the length of the block."""

    async def now(_: DeployRequest) -> DeployStatus:
        try:
            return status(*await desk.current())
        except NoDeploy:
            return DeployStatus()
        except DeployerError as failure:
            raise AskRefused(str(failure)) from None

    async def order(asked: DeployOrder) -> DeployStatus:
        by = await _who(asked.token, tokens)
        try:
            wanted = Order(
                version=asked.version, shadow=asked.shadow, steps=asked.steps, window_s=asked.window_s
            )
            return status(await desk.order(wanted, by=by, reason=asked.reason))
        except (DeployerError, ValueError) as failure:
            raise AskRefused(str(failure)) from None

    async def command(asked: DeployCommand) -> DeployStatus:
        by = await _who(asked.token, tokens)
        try:
            return status(await desk.command(asked.command, by=by, reason=asked.reason))
        except DeployerError as failure:
            raise AskRefused(str(failure)) from None

    async with (
        bus.serve(CURRENT_DEPLOY, now),
        bus.serve(ORDER_DEPLOY, order),
        bus.serve(COMMAND_DEPLOY, command),
    ):
        yield


async def _who(token: str, tokens: Tokens) -> str:
    try:
        return await tokens.owner(token)
    except (Unauthorised, TokensUnreadable) as failure:
        raise AskRefused(str(failure)) from None
