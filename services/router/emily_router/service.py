"""The router as a service: opens its buses and its journal, and lets traffic through until it is stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
from emily_bus import Bus, Subscription
from emily_contracts.topics import (
    ACTION,
    CURRENT_STANDING,
    DECISION,
    INBOUND_OUTCOME,
    INBOUND_STIMULUS,
    PERCEPT,
)
from emily_flags import following_on
from emily_runtime import DatabaseAddress, Life, Service
from emily_runtime.logs import get_logger
from emily_runtime.tokens import tokens_of
from litestar import Litestar

from emily_router.api import create_app
from emily_router.errors import Closed, JournalBusy
from emily_router.journal import Journal, Recovery
from emily_router.ledger import Ledger
from emily_router.metrics import Metrics
from emily_router.routing.desk import Desk
from emily_router.routing.gate import Gate
from emily_router.routing.keeping import Keeper
from emily_router.routing.lane import Lane
from emily_router.routing.record import Record
from emily_router.routing.switchboard import Switchboard
from emily_router.routing.switching import Switching
from emily_router.settings import RouterSettings
from emily_router.traffic import TICK_S, Traffic
from emily_router.variants import Variants

STANDBY_POLL_S = 0.05

_log = get_logger(__name__)


class Router(Service[RouterSettings]):
    """Takes stimuli from the bus and over HTTP, and answers each exactly once."""

    name = "router"
    settings_type = RouterSettings
    needs = ("subscriptions",)

    def __init__(self, settings: RouterSettings) -> None:
        super().__init__(settings)
        self._traffic: Traffic | None = None
        self._desk: Desk | None = None
        self._tokens = tokens_of(settings, "traffic.token", by=self.name)

    def http(self, life: Life) -> Litestar:
        """The public API."""
        return create_app(self._open_traffic, self._open_desk, self.settings, version=life.version)

    async def main(self, life: Life) -> None:
        """Lets traffic through; once stopping, takes nothing more in and gives out what is owed."""
        settings, folder = self.settings, self.settings.state_dir / "router"
        async with AsyncExitStack() as stack:
            journal = await self._journal(folder, life)
            if journal is None:
                return
            stack.enter_context(journal)
            metrics = Metrics(life.registry)
            keeper = await stack.enter_async_context(_keeper(settings, folder))
            lanes = {
                colour: await stack.enter_async_context(_lane(life, settings.namespace, colour, metrics))
                for colour in settings.colours
            }
            ledger = Ledger(
                in_flight=settings.in_flight, remembered=settings.remembered, remember_s=settings.remember_s
            )
            gate = Gate(2 * settings.in_flight)
            board = Switchboard(await keeper.load(), lanes, gate, on_carry=ledger.redirect)
            replica = await stack.enter_async_context(following_on(life.bus, cache=folder / "flags.json"))
            variants = Variants(replica, metrics.untold)
            traffic = Traffic(
                settings,
                root=life.bus,
                board=board,
                ledger=ledger,
                journal=journal,
                metrics=metrics,
                tracer=life.tracer,
                variants=variants,
            )
            switching = Switching(board, keeper, metrics)
            desk = Desk(switching, keeper, traffic.colours.traffic, self._tokens)
            heard = {
                colour: await stack.enter_async_context(lane.bus.subscribe(PERCEPT, DECISION))
                for colour, lane in lanes.items()
            }
            for colour, lane in lanes.items():
                answer = switching.standing_of(colour)
                await stack.enter_async_context(lane.bus.serve(CURRENT_STANDING, answer))
            actions = await stack.enter_async_context(life.bus.subscribe(ACTION))
            tasks = await stack.enter_async_context(anyio.create_task_group())
            for colour, lane in lanes.items():
                tasks.start_soon(lane.send_copies)
                tasks.start_soon(traffic.hear, colour, life.observe(heard[colour]))
            tasks.start_soon(variants.tell, life.bus)
            tasks.start_soon(traffic.keep_time)
            tasks.start_soon(traffic.outbox.run)
            tasks.start_soon(switching.keep_up)
            tasks.start_soon(_show_actions, actions, traffic)
            tasks.start_soon(_follow_presence, life.bus, traffic)
            await switching.say_standings()
            _report(journal.recovery)
            await traffic.resume(journal.recovery)
            async with desk.answering(life.bus):
                self._desk = desk
                await self._let_in(traffic, life)
                self._desk = None
            await _until_nothing_is_owed(traffic)
            tasks.cancel_scope.cancel()

    async def _journal(self, folder: Path, life: Life) -> Journal | None:
        """The journal, for a standby once nobody else has it; none when it is told to stop before."""
        told = False
        while not life.stopping.is_set():
            try:
                return Journal(folder)
            except JournalBusy:
                if not self.settings.standby:
                    raise
            if not told:
                _log.info("stands by while another router lives", state_dir=str(self.settings.state_dir))
                told = True
            await anyio.sleep(STANDBY_POLL_S)
        return None

    async def _let_in(self, traffic: Traffic, life: Life) -> None:
        arrivals = life.bus.subscribe(INBOUND_STIMULUS, INBOUND_OUTCOME, on_reject=traffic.overflowed)
        async with anyio.create_task_group() as intake, arrivals:
            intake.start_soon(traffic.take_in, life.observe(arrivals))
            self._traffic = traffic
            life.ready("subscriptions")
            await life.stopping.wait()
        self._traffic = None

    def _open_traffic(self) -> Traffic:
        if self._traffic is None:
            raise Closed("the router is starting or stopping; retry in a moment")
        return self._traffic

    def _open_desk(self) -> Desk:
        if self._desk is None:
            raise Closed("the router is starting or stopping; retry in a moment")
        return self._desk


@asynccontextmanager
async def _keeper(settings: RouterSettings, folder: Path) -> AsyncIterator[Keeper]:
    """Of the routing table, with the database when one is given."""
    address = DatabaseAddress(settings)
    file, url = folder / "table.json", await address()
    if url is None:
        yield Keeper(file, None, first=settings.colour)
        return
    async with Record(url, renewed=address) as record:
        yield Keeper(file, record, first=settings.colour)


@asynccontextmanager
async def _lane(life: Life, root: str, colour: str, metrics: Metrics) -> AsyncIterator[Lane]:
    """The way to a colour."""
    async with Bus.open(life.bus_settings(), namespace=f"{root}/{colour}", name=Router.name) as bus:
        yield Lane(colour, bus, metrics.lost_copies.labels(colour))


def _report(recovery: Recovery) -> None:
    if recovery.owed or recovery.undelivered or recovery.torn:
        _log.warning(
            "resumed",
            owed=len(recovery.owed),
            undelivered=len(recovery.undelivered),
            torn_bytes=recovery.torn,
        )


async def _until_nothing_is_owed(traffic: Traffic) -> None:
    """Every answer was given, and the watchers know that no more will come."""
    while traffic.in_flight or traffic.outbox.waiting:  # noqa: ASYNC110 - two owners, one tick
        await anyio.sleep(TICK_S)
    traffic.stream.close()


async def _show_actions(actions: Subscription, traffic: Traffic) -> None:
    async for action in actions:
        traffic.stream.publish("action", action)


async def _follow_presence(root: Bus, traffic: Traffic) -> None:
    async with root.presence() as changes:
        async for _ in changes:
            traffic.colours.alive = changes.alive
