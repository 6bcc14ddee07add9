"""The deployer: opens its records, takes up what was under way, and takes orders until it is stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
import psycopg
from emily_postgres import reached
from emily_runtime import DatabaseAddress, Life, Service
from emily_runtime.logs import get_logger
from emily_runtime.tokens import tokens_of
from litestar import Litestar

from emily_deployer.api.app import create_app
from emily_deployer.desk import Desk
from emily_deployer.drivers.compose import Compose
from emily_deployer.drivers.driver import Driver
from emily_deployer.drivers.embedded import Embedded
from emily_deployer.errors import Closed
from emily_deployer.hooks import Hooks
from emily_deployer.machine import Machine
from emily_deployer.metrics import Metrics
from emily_deployer.queries import answering
from emily_deployer.settings import DeployerSettings
from emily_deployer.smoke import Smoke
from emily_deployer.steps import Deadlines, Steps
from emily_deployer.store import database, journal
from emily_deployer.store.store import Store
from emily_deployer.traffic import Router
from emily_deployer.watching import Watcher

STANDBY_S = 1.0

_log = get_logger(__name__)


class Deployer(Service[DeployerSettings]):
    """Replaces colours."""

    name = "deployer"
    settings_type = DeployerSettings
    needs = ("records",)

    def __init__(self, settings: DeployerSettings) -> None:
        super().__init__(settings)
        self._desk: Desk | None = None
        self._tokens = tokens_of(settings, "deploys.token", by=self.name)

    def http(self, life: Life) -> Litestar:
        """Orders and questions."""
        return create_app(
            self._open_desk,
            tokens=self._tokens,
            allowed_hosts=self.settings.allowed_hosts,
            version=life.version,
        )

    async def main(self, life: Life) -> None:
        """Deploys until it is stopped; what is under way then is taken up by the next process."""
        settings = self.settings
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(self._records(life))
            if store is None:
                return
            driver = _driver(settings)
            router = Router(life.bus, settings.traffic_token)
            steps = Steps(
                driver=driver,
                switchboard=router,
                smoke=Smoke(
                    life.bus_settings(), root=settings.namespace, slowest_s=settings.attention_ms / 1000
                ),
                watch=Watcher(life.bus_settings(), root=settings.namespace).watch,
                colours=settings.pair,
                deadlines=Deadlines(ready=settings.ready_timeout_s),
            )
            hooks = Hooks(settings.hooks_dir, settings.hook_timeout_s)
            machine = Machine(store, steps, hooks, changed=Metrics(life.registry).note)
            desk = Desk(machine, driver, router, settings.pair)
            await stack.enter_async_context(answering(life.bus, desk, self._tokens))
            background = await stack.enter_async_context(anyio.create_task_group())
            background.start_soon(life.tasks.critical, "machine", machine.run)
            self._desk = desk
            life.ready("records")
            await life.stopping.wait()
            self._desk = None
            background.cancel_scope.cancel()

    @asynccontextmanager
    async def _records(self, life: Life) -> AsyncIterator[Store | None]:
        """In the database that is set, or in a journal; none when it is stopped before they are there."""
        address = DatabaseAddress(self.settings)
        url = await address()
        if url is None:
            with journal.opened(self.settings.state_dir / "deployer" / "deploys.jsonl") as kept:
                yield kept
            return
        if not await reached(url, life.stopping, waits=_say_waiting):
            yield None
            return
        sole = await _alone(url, life.stopping)
        if sole is None:
            yield None
            return
        async with sole, database.opened(url, renewed=address) as store, anyio.create_task_group() as tasks:
            tasks.start_soon(_stay_alone, sole)
            yield store
            tasks.cancel_scope.cancel()

    def _open_desk(self) -> Desk:
        if self._desk is None:
            raise Closed("the deployer is starting, standing by or stopping; ask again in a moment")
        return self._desk


def _driver(settings: DeployerSettings) -> Driver:
    if settings.driver == "compose":
        return Compose(settings.compose_dir, settings.compose_command)
    return Embedded(settings.state_dir, root=settings.namespace, first=settings.pair[0])


async def _alone(url: str, stopping: anyio.Event) -> psycopg.AsyncConnection[Any] | None:
    """Wait until no other deployer works on the database; none when it is stopped before."""
    told = False
    while (connection := await database.sole(url)) is None:
        if not told:
            _log.warning("another deployer works on this database; stands by")
            told = True
        with anyio.move_on_after(STANDBY_S):
            await stopping.wait()
            return None
    return connection


async def _stay_alone(connection: psycopg.AsyncConnection[Any]) -> None:
    """Fail when the connection is lost, and with it the right to deploy: the next start takes up what was."""
    while True:
        await anyio.sleep(STANDBY_S)
        await connection.execute("SELECT 1")


def _say_waiting() -> None:
    _log.warning("waits for the database; start it, or check its URL")
