"""Who may direct traffic asks here, over HTTP or the bus."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from emily_bus import AskRefused, Bus
from emily_contracts.routing import ChangeTraffic, Traffic, TrafficRequest
from emily_contracts.topics import CHANGE_TRAFFIC, CURRENT_TRAFFIC
from emily_runtime.tokens import Tokens, TokensUnreadable, Unauthorised

from emily_router.errors import RouterError
from emily_router.routing.keeping import Keeper
from emily_router.routing.switching import Switching


class Desk:
    """Tells how traffic is directed, and takes orders of those who have a token.

    Args:
        switching: Does what is ordered.
        keeper: Of the routing table.
        now: Of the attribute.
        tokens: Of those who may order, read at each order.

    Attributes:
        now: Gives the table that holds and how the colours are.
    """

    def __init__(
        self,
        switching: Switching,
        keeper: Keeper,
        now: Callable[[], Traffic],
        tokens: Tokens,
    ) -> None:
        self._switching = switching
        self._keeper = keeper
        self.now = now
        self._tokens = tokens

    @property
    def behind(self) -> str:
        """Why the table may be older than that of its database; empty when it can't be."""
        return self._keeper.behind

    async def change(self, order: ChangeTraffic) -> Traffic:
        """What holds when the order is carried out.

        Raises:
            Unauthorised: The token is not known.
            TokensUnreadable: The tokens can't be read.
            RouterError: See `Switching.change`.
        """
        author = await self._tokens.owner(order.token)
        await self._switching.change(order, author=author)
        return self.now()

    @asynccontextmanager
    async def answering(self, bus: Bus) -> AsyncIterator[None]:
        """Answer on the bus for the length of the block."""

        async def now(_: TrafficRequest) -> Traffic:
            return self.now()

        async def change(order: ChangeTraffic) -> Traffic:
            try:
                return await self.change(order)
            except (RouterError, Unauthorised, TokensUnreadable) as refusal:
                raise AskRefused(str(refusal)) from None

        async with bus.serve(CURRENT_TRAFFIC, now), bus.serve(CHANGE_TRAFFIC, change):
            yield
