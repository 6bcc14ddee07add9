"""What a running service can see of its own life, and say about it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime

import anyio
from emily_bus import Bus, BusSettings, Subscription
from emily_contracts import Health, uuid7
from emily_contracts.topics import HEALTH_CHANGED
from prometheus_client import CollectorRegistry

from emily_runtime.settings import ServiceSettings, bus_settings
from emily_runtime.tasks import Tasks
from emily_runtime.traces import Silent, Tracer


class Life:
    """One service's life: its bus, its settings, its conditions of readiness and its end.

    Attributes:
        name: Of the service.
        version: Of its code.
        bus: Open in the service's namespace.
        registry: Of its metrics.
        tracer: Makes spans.
        tasks: Runs work whose failures are counted.
        stopping: Set when it is told to stop.
        handled: Events so far.
        cold_start: Why nothing was remembered at the start, or nothing taken over; empty when something was.
        restored_age_s: How old the checkpoint was that it went on from; none when it went on from none.
    """

    def __init__(
        self,
        *,
        name: str,
        version: str,
        settings: ServiceSettings,
        bus: Bus,
        needs: Iterable[str],
        tracer: Tracer | None = None,
    ) -> None:
        self.name = name
        self.version = version
        self.settings = settings
        self.bus = bus
        self.registry = CollectorRegistry()
        self.tracer = tracer or Silent()
        self.tasks = Tasks(self.registry)
        self.stopping = anyio.Event()
        self.handled = 0
        self.cold_start = ""
        self.restored_age_s: float | None = None
        self.subscriptions: list[Subscription] = []
        self._conditions: dict[str, bool] = dict.fromkeys(needs, False)
        self._started = time.monotonic()
        self._stopped = False
        self._told: tuple[str, tuple[str, ...]] | None = None

    @property
    def phase(self) -> str:
        """`starting`, `ready`, `draining` or `stopped`."""
        if self._stopped:
            return "stopped"
        if self.stopping.is_set():
            return "draining"
        return "starting" if self.unmet() else "ready"

    def ready(self, condition: str, met: bool = True) -> None:
        """Say that a condition of readiness is met, or no longer is."""
        self._conditions[condition] = met

    def unmet(self) -> tuple[str, ...]:
        """Names of the conditions that are not met, the link to the bus among them."""
        own = [name for name, met in self._conditions.items() if not met]
        return tuple(own if self.bus.connected else [*own, "bus"])

    def conditions(self) -> dict[str, bool]:
        """Every condition and whether it is met."""
        return {**self._conditions, "bus": self.bus.connected}

    def observe(self, subscription: Subscription) -> Subscription:
        """Count a subscription in the metrics."""
        self.subscriptions.append(subscription)
        return subscription

    def bus_settings(self) -> BusSettings:
        """For a service that opens a second session."""
        return bus_settings(self.settings)

    def health(self) -> Health:
        """What the service says of itself now."""
        at = datetime.now(UTC)
        identity = uuid7(at)
        unmet = self.unmet()
        return Health(
            id=identity,
            at=at,
            stimulus_id=identity,
            service=self.name,
            phase=self.phase,
            ready=self.phase == "ready",
            version=self.version,
            uptime_s=round(time.monotonic() - self._started, 3),
            unmet=unmet,
            handled=self.handled,
            cold_start=self.cold_start,
            restored_age_s=self.restored_age_s,
        )

    async def announce_changes(self, interval_s: float = 0.1) -> None:
        """Publish the health whenever its phase or its unmet conditions change."""
        while True:
            await self._announce()
            await anyio.sleep(interval_s)

    async def announce_end(self) -> None:
        """Publish that the service has stopped."""
        self._stopped = True
        await self._announce()

    async def _announce(self) -> None:
        now = (self.phase, self.unmet())
        if now != self._told and self.bus.connected:
            self._told = now
            await self.bus.publish(HEALTH_CHANGED, self.health())
