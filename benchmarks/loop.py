"""The whole loop over the bus: latency at 100 stimuli a second, where it saturates, memory of each service.

A system of its own is started on free ports. The client is a process beside it, as a sensor would be. A
quantile is the median of those of several rounds, with their spread: one hiccup is a per cent of a round.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import numpy as np
import report
from emily import launch
from emily.bus import settings as bus_settings
from emily.lifecycle import describe
from emily.system import Layout, free_port
from emily_bus import Bus, Subscription
from emily_contracts import Overflow, Signal, Stimulus, uuid7
from emily_contracts.topics import INBOUND_STIMULUS, OUTBOUND_DECISION, OUTBOUND_PERCEPT

RATE_HZ = 100
ROUNDS = 5
SECONDS = 12
WARM_UP = 200
LOADS_HZ = (200, 400, 600, 800, 1200)
LOAD_SECONDS = 4
KEPT_UP = 0.98
REFLEX_BOUND_MS = 5.0
DECISION_BOUND_MS = 15.0
START_BOUND_S = 4.0
LOOP = {"use_uvloop": True}
"""As services run."""


class Timing:
    """When each stimulus was sent and each answer came, in seconds."""

    def __init__(self) -> None:
        self.sent: dict[UUID, float] = {}
        self.percept: dict[UUID, float] = {}
        self.decision: dict[UUID, float] = {}
        self.statuses: dict[str, int] = {}

    def latencies(self, answers: dict[UUID, float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Milliseconds from sending to the answer, without the warm-up."""
        kept = list(self.sent)[WARM_UP:]
        return np.array([1e3 * (answers[i] - self.sent[i]) for i in kept if i in answers])


async def offer(layout: Layout, rate: int, seconds: float) -> Timing:
    """Offer stimuli at a rate and collect what comes back."""
    timing = Timing()
    settings = bus_settings(layout)
    async with (
        Bus.open(settings, namespace="emily", name="bench") as bus,
        bus.subscribe(OUTBOUND_DECISION, overflow=Overflow.DROP_OLDEST, buffer=65_536) as decisions,
        bus.subscribe(OUTBOUND_PERCEPT, overflow=Overflow.DROP_OLDEST, buffer=65_536) as percepts,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(_collect, decisions, timing, timing.decision)
        tasks.start_soon(_collect, percepts, timing, timing.percept)
        await anyio.sleep(0.3)
        start = time.perf_counter()
        for i in range(int(rate * seconds)):
            due = start + i / rate
            if (pause := due - time.perf_counter()) > 0:
                await anyio.sleep(pause)
            stimulus = _look(i)
            timing.sent[stimulus.id] = time.perf_counter()
            await bus.publish(INBOUND_STIMULUS, stimulus)
        with anyio.move_on_after(3.0):
            while len(timing.decision) < len(timing.sent):
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    return timing


async def _collect(messages: Subscription, timing: Timing, answers: dict[UUID, float]) -> None:
    async for message in messages:
        if message.stimulus_id in timing.sent:
            answers.setdefault(message.stimulus_id, time.perf_counter())
            status = getattr(message, "status", None)
            if status is not None:
                timing.statuses[status.value] = timing.statuses.get(status.value, 0) + 1


def _look(i: int) -> Stimulus:
    at = datetime.now(UTC)
    identity = uuid7(at)
    return Stimulus(
        id=identity,
        at=at,
        stimulus_id=identity,
        modality="vision",
        subject=f"bench-{i % 8}",
        episode=f"episode-{i // 64}",
        attended="fovea",
        signals=(Signal(channel="fovea", values=(float(i % 17),), place=i % 64),),
    )


def _quantiles(*rounds: np.ndarray[tuple[int], np.dtype[np.float64]]) -> dict[str, float]:
    """Of each quantile the median of the rounds."""
    return {
        f"p{q:g}_ms": round(float(np.median([np.percentile(each, q) for each in rounds])), 3)
        for q in (50, 95, 99)
    }


def _spread(rounds: list[np.ndarray[tuple[int], np.dtype[np.float64]]]) -> dict[str, list[float]]:
    """The p99 of each round, lowest first."""
    return {"p99_ms_of_rounds": sorted(round(float(np.percentile(each, 99)), 3) for each in rounds)}


def main() -> None:
    """Measure and write `results/loop.json`."""
    with tempfile.TemporaryDirectory(prefix="emily-loop-") as folder:
        layout = Layout(
            state_dir=Path(folder), bus_port=free_port(), http_port=free_port(), delivery=False, backups=False
        )
        launch.prepare(layout, lambda *_: None)
        started = time.monotonic()
        with launch.temporarily(layout, lambda *_: None):
            ready_s = time.monotonic() - started
            steady = [anyio.run(offer, layout, RATE_HZ, SECONDS, backend_options=LOOP) for _ in range(ROUNDS)]
            loads: list[dict[str, Any]] = []
            for rate in LOADS_HZ:
                timing = anyio.run(offer, layout, rate, LOAD_SECONDS, backend_options=LOOP)
                span = max(timing.decision.values()) - min(timing.sent.values())
                answered = timing.statuses.get("decided", 0) + timing.statuses.get("reflex", 0)
                loads.append(
                    {
                        "offered_hz": rate,
                        "answered_share": round(answered / len(timing.sent), 4),
                        "answered_hz": round(answered / span, 1),
                        "statuses": timing.statuses,
                        "decision": _quantiles(timing.latencies(timing.decision)),
                    }
                )
                print(loads[-1], flush=True)
            memory = {part.name: part.memory_mb for part in describe(layout).parts}
    percepts = [each.latencies(each.percept) for each in steady]
    decisions = [each.latencies(each.decision) for each in steady]
    reflex, decision = _quantiles(*percepts), _quantiles(*decisions)
    sent = sum(len(each.sent) for each in steady)
    statuses = Counter[str]()
    for each in steady:
        statuses.update(each.statuses)
    sustained = max(
        (load["offered_hz"] for load in loads if load["answered_share"] >= KEPT_UP), default=RATE_HZ
    )
    answered_share = sum(len(each.decision) for each in steady) / sent
    report.write(
        "loop",
        figures={
            "rate_hz": RATE_HZ,
            "rounds": ROUNDS,
            "stimuli": sent,
            "statuses": dict(statuses),
            "reflex": reflex | _spread(percepts),
            "decision": decision | _spread(decisions),
            "loads": loads,
            "sustained_hz": sustained,
            "memory_mb": memory,
            "ready_s": round(ready_s, 2),
        },
        bars=[
            report.bar("stimulus -> reflex answer p99 ms at 100/s", reflex["p99_ms"], "<", REFLEX_BOUND_MS),
            report.bar("stimulus -> decision p99 ms at 100/s", decision["p99_ms"], "<", DECISION_BOUND_MS),
            report.bar("share of stimuli answered at 100/s", answered_share, ">=", 1.0),
            report.bar("start of the installed system until ready s", ready_s, "<", START_BOUND_S),
        ],
        versions=report.versions("eclipse-zenoh", "numpy", "msgspec", "uvloop"),
    )


if __name__ == "__main__":
    main()
