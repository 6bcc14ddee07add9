"""Where orders come in, from HTTP and from the bus alike."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from emily_deployer.deployment import Deployment
from emily_deployer.drivers.driver import Driver
from emily_deployer.errors import NoDeploy, NotNow
from emily_deployer.machine import Machine
from emily_deployer.order import Order, Plan
from emily_deployer.planning import planned
from emily_deployer.store.store import Act, Store
from emily_deployer.traffic import Switchboard

type Command = Literal["pause", "resume", "promote", "abort", "rollback"]


class Desk:
    """Takes orders.

    Args:
        machine: Carries deploys on.
        driver: Knows releases.
        switchboard: Directs the traffic.
        colours: Between which deploys go.
    """

    def __init__(
        self, machine: Machine, driver: Driver, switchboard: Switchboard, colours: tuple[str, str]
    ) -> None:
        self._machine = machine
        self._driver = driver
        self._switchboard = switchboard
        self._colours = colours

    @property
    def store(self) -> Store:
        """Where deploys are kept."""
        return self._machine.store

    async def plan(self, order: Order) -> Plan:
        """What an order would do; nothing is done. Raises `BadOrder` or `StepFailed`."""
        return await planned(order, self._driver, self._switchboard, self._colours)

    async def order(self, order: Order, *, by: str, reason: str) -> Deployment:
        """Begin a deploy. Raises `BadOrder` or `Busy`."""
        await self._driver.resolve(order.version)
        return await self._machine.order(order, by=by, reason=reason)

    async def command(self, command: Command, *, by: str, reason: str) -> Deployment:
        """Tell the deploy that is under way what to do. Raises `NoDeploy` or `NotNow`."""
        machine = self._machine
        if command == "rollback" and machine.current is None:
            raise NotNow(await self._too_late())
        does = {
            "pause": machine.pause,
            "resume": machine.resume,
            "promote": machine.promote,
            "abort": machine.abort,
            "rollback": machine.abort,
        }
        return await does[command](by=by, reason=reason)

    async def current(self) -> tuple[Deployment, str]:
        """The deploy that is under way, or else the last one, and what was last found out.

        Raises:
            NoDeploy: There never was one.
        """
        if self._machine.current is not None:
            return self._machine.current, self._machine.said
        last = await self.store.history(1)
        if not last:
            raise NoDeploy("there was no deploy yet; begin one with: emily deploy VERSION")
        return last[0], last[0].words

    async def one(self, id: UUID) -> tuple[Deployment, list[Act]]:
        """A deploy and what was done in it. Raises `NoDeploy`."""
        found = next((each for each in await self.store.history(1000) if each.id == id), None)
        if found is None:
            raise NoDeploy(f"there is no deploy {id}; see: emily releases list")
        return found, await self.store.acts(id)

    async def describe(self, version: str) -> dict[str, str]:
        """What can be known of a version. Raises `BadOrder` or `StepFailed`."""
        return await self._driver.describe(await self._driver.resolve(version))

    async def running(self) -> dict[str, str]:
        """The release of each colour that runs. Raises `StepFailed`."""
        return await self._driver.running()

    async def _too_late(self) -> str:
        """Why nothing is rolled back, and what to do instead."""
        history = await self.store.history(1)
        before = history[0].plan.old_version if history and history[0].plan else ""
        again = f"; deploy the version before again: emily deploy {before}" if before else ""
        return f"no deploy is under way, and the rollback window of the last one is over{again}"
