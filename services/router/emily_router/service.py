"""The router as a service: opens its buses and its journal, and lets traffic through until it is stopped."""

from __future__ import annotations

from contextlib import AsyncExitStack

import anyio
from emily_bus import Bus, Subscription
from emily_contracts.topics import ACTION, DECISION, INBOUND_OUTCOME, INBOUND_STIMULUS, PERCEPT
from emily_flags import following_on
from emily_runtime import Life, Service
from emily_runtime.logs import get_logger
from litestar import Litestar

from emily_router.api import create_app
from emily_router.errors import Closed
from emily_router.journal import Journal, Recovery
from emily_router.metrics import Metrics
from emily_router.settings import RouterSettings
from emily_router.traffic import TICK_S, Traffic
from emily_router.variants import Variants

_log = get_logger(__name__)


class Router(Service[RouterSettings]):
    """Takes stimuli from the bus and over HTTP, and answers each exactly once."""

    name = "router"
    settings_type = RouterSettings
    needs = ("subscriptions",)

    def __init__(self, settings: RouterSettings) -> None:
        super().__init__(settings)
        self._traffic: Traffic | None = None

    def http(self, life: Life) -> Litestar:
        """The public API."""
        return create_app(self._open_traffic, self.settings, version=life.version)

    async def main(self, life: Life) -> None:
        """Lets traffic through; once stopping, takes nothing more in and gives out what is owed."""
        settings = self.settings
        namespace = f"{settings.namespace}/{settings.colour}"
        async with AsyncExitStack() as stack:
            journal = stack.enter_context(Journal(settings.state_dir / "router"))
            colour = await stack.enter_async_context(
                Bus.open(life.bus_settings(), namespace=namespace, name=self.name)
            )
            metrics = Metrics(life.registry)
            cache = settings.state_dir / "router" / "flags.json"
            replica = await stack.enter_async_context(following_on(life.bus, cache=cache))
            variants = Variants(replica, metrics.untold)
            traffic = Traffic(
                settings,
                root=life.bus,
                colour=colour,
                journal=journal,
                metrics=metrics,
                tracer=life.tracer,
                variants=variants,
            )
            heard = await stack.enter_async_context(colour.subscribe(PERCEPT, DECISION))
            actions = await stack.enter_async_context(life.bus.subscribe(ACTION))
            tasks = await stack.enter_async_context(anyio.create_task_group())
            tasks.start_soon(variants.tell, life.bus)
            tasks.start_soon(traffic.keep_time)
            tasks.start_soon(traffic.outbox.run)
            tasks.start_soon(traffic.hear, life.observe(heard))
            tasks.start_soon(_show_actions, actions, traffic)
            tasks.start_soon(_follow_presence, life.bus, traffic)
            _report(journal.recovery)
            await traffic.resume(journal.recovery)
            await self._let_in(traffic, life)
            while traffic.in_flight or traffic.outbox.waiting:  # noqa: ASYNC110 - two owners, one tick
                await anyio.sleep(TICK_S)
            traffic.stream.close()
            tasks.cancel_scope.cancel()

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


def _report(recovery: Recovery) -> None:
    if recovery.owed or recovery.undelivered or recovery.torn:
        _log.warning(
            "resumed",
            owed=len(recovery.owed),
            undelivered=len(recovery.undelivered),
            torn_bytes=recovery.torn,
        )


async def _show_actions(actions: Subscription, traffic: Traffic) -> None:
    async for action in actions:
        traffic.stream.publish("action", action)


async def _follow_presence(root: Bus, traffic: Traffic) -> None:
    async with root.presence() as changes:
        async for _ in changes:
            traffic.alive = changes.alive
