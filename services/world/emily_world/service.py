"""The world as a service: it runs the world of its settings and ends by itself when that is over."""

from __future__ import annotations

import json
import secrets
import time
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
from emily_runtime import Life, Service
from prometheus_client import Gauge

from emily_world.dataset import load_digits, showing, split
from emily_world.digits import DigitsWorld
from emily_world.feeling import Feeling
from emily_world.looking import Looking
from emily_world.settings import WorldSettings


class World(Service[WorldSettings]):
    """Says stimuli, outcomes, scenes and actions; hears decisions; prints a line of JSON at its end."""

    name = "world"
    settings_type = WorldSettings

    async def main(self, life: Life) -> None:
        """Run the world of the settings."""
        started = time.monotonic()
        summary = await (self._digits(life) if self.settings.world == "digits" else self._host(life))
        print(
            json.dumps(
                {"world": self.settings.world, **summary, "seconds": round(time.monotonic() - started, 3)}
            )
        )

    async def _digits(self, life: Life) -> dict[str, Any]:
        settings = self.settings
        run = settings.run or f"digits-{secrets.token_hex(4)}"
        pictures = showing(split(load_digits(), settings.seed).test, settings.only)
        looking = Looking(
            DigitsWorld(settings, pictures, run=run, start=datetime.now(UTC)), settings, life.bus
        )
        counts = Gauge("emily_world_score", "Counts of this run", ["count"], registry=life.registry)
        for count in looking.score.__struct_fields__:
            counts.labels(count).set_function(partial(_count, looking, count))
        await looking.run(life.stopping)
        score = looking.score
        means = {"accuracy": round(score.accuracy, 4), "mean_looks": round(score.mean_looks, 3)}
        return {"run": run, "strategy": settings.strategy, **msgspec.structs.asdict(score), **means}

    async def _host(self, life: Life) -> dict[str, Any]:
        feeling = Feeling(self.settings, life.bus)
        readings = Gauge(
            "emily_world_host_readings", "Readings of the host in this run", registry=life.registry
        )
        readings.set_function(lambda: feeling.state.tick)
        await feeling.run(life.stopping)
        return {"subject": feeling.subject, "ticks": feeling.state.tick}


def _count(looking: Looking, name: str) -> float:
    return float(getattr(looking.score, name))
