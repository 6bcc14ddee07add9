"""What a running service can see of its own life, and say about it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import anyio
from emily_bus import Bus, BusSettings, Subscription
from emily_contracts import Health, uuid7
from emily_contracts.topics import HEALTH_CHANGED
from prometheus_client import CollectorRegistry

from emily_runtime.settings import ServiceSettings


class Life:
    """One service's life: its bus, its settings, its conditions of readiness and its end.

    Attributes:
        name: Of the service.
        version: Of its code.
        bus: Open in the service's namespace.
        registry: Of its metrics.
        stopping: Set when it is told to stop.
        handled: Events so far.
        cold_start: Why nothing was remembered at the start; empty when something was.
    """

    def __init__(
        self, *, name: str, version: str, settings: ServiceSettings, bus: Bus, needs: Iterable[str]
    ) -> None:
        self.name = name
        self.version = version
        self.settings = settings
        self.bus = bus
        self.registry = CollectorRegistry()
        self.stopping = anyio.Event()
        self.handled = 0
        self.cold_start = ""
        self.subscriptions: list[Subscription] = []
        self._conditions: dict[str, bool] = dict.fromkeys(needs, False)
        self._started = time.monotonic()

    @property
    def phase(self) -> str:
        """`starting`, `ready` or `draining`."""
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
        )

    async def announce_changes(self, interval_s: float = 0.1) -> None:
        """Publish the health whenever its phase or its unmet conditions change."""
        told: Any = None
        while True:
            now = (self.phase, self.unmet())
            if now != told and self.bus.connected:
                await self.bus.publish(HEALTH_CHANGED, self.health())
                told = now
            await anyio.sleep(interval_s)


def bus_settings(settings: ServiceSettings) -> BusSettings:
    """The part of the settings that concerns the bus."""
    return BusSettings(
        endpoint=settings.bus_endpoint,
        user=settings.bus_user,
        password_file=settings.bus_password_file,
        ca_file=settings.bus_ca_file,
        certificate_file=settings.bus_certificate_file,
        key_file=settings.bus_key_file,
    )
