"""A world inside: what the machine feels like that Emily runs on, and what she can do about it."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from datetime import datetime

import msgspec
import psutil
from emily_contracts import Decision, Signal, Stimulus, StimulusDraft, uuid7
from emily_contracts.topics import INBOUND_STIMULUS
from emily_runtime.mind import Emission
from msgspec.structs import replace

from emily_world.emission import Step, carried_out

MODALITY = "interoception"
MEMORY = 0.05
"""Share of a new reading in the running mean."""
USUAL_DEVIATION = 0.1
"""Distance from the running mean that knocks as loudly as a channel at its limit."""
SLOWEST = 16
"""Most intervals from one reading to the next."""


class HostState(msgspec.Struct, frozen=True, kw_only=True):
    """What the host world remembers.

    Attributes:
        usual: Running mean of each channel.
        slowness: Intervals from one reading to the next; doubled by each `throttle`.
        tick: Readings so far.
    """

    usual: dict[str, float] = {}
    slowness: int = 1
    tick: int = 0


def read_host() -> dict[str, float]:
    """How much of the host is in use by channel; 1 is its limit.

    `load` is the one-minute load per core, `memory` and `disk` are used shares, `temperature` is the
    hottest sensor's share of its critical temperature where there is such a sensor.
    """
    readings = {
        "load": psutil.getloadavg()[0] / (psutil.cpu_count() or 1),
        "memory": psutil.virtual_memory().percent / 100,
        "disk": psutil.disk_usage("/").percent / 100,
    }
    sensors = psutil.sensors_temperatures() if hasattr(psutil, "sensors_temperatures") else {}
    shares = [
        sensor.current / sensor.critical for group in sensors.values() for sensor in group if sensor.critical
    ]
    return readings | ({"temperature": max(shares)} if shares else {})


def host_name() -> str:
    """The machine's name as a subject."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", platform.node()).lstrip("._-") or "host"


def sense(
    state: HostState, readings: Mapping[str, float], *, subject: str, at: datetime, randomness: bytes
) -> Step[HostState]:
    """The readings as a stimulus; a channel is loud when it is high and when it leaves its running mean."""
    usual = {channel: state.usual.get(channel, reading) for channel, reading in readings.items()}
    signals = tuple(
        Signal(
            channel=channel,
            values=(reading,),
            intensity=reading + abs(reading - usual[channel]) / USUAL_DEVIATION,
        )
        for channel, reading in readings.items()
    )
    draft = StimulusDraft(modality=MODALITY, subject=subject, episode="host", signals=signals)
    stimulus = Stimulus.stamped(draft, id=uuid7(at, randomness), at=at)
    updated = {
        channel: (1 - MEMORY) * usual[channel] + MEMORY * reading for channel, reading in readings.items()
    }
    return replace(state, usual=updated, tick=state.tick + 1), (Emission(INBOUND_STIMULUS, stimulus),)


def act(state: HostState, decision: Decision) -> Step[HostState]:
    """What the world does about a decision: `observe`, `throttle` or `alert`; else it says it can't."""
    kind = decision.act.kind
    detail = f"{kind!r} can't be done to a host"
    if kind == "observe":
        state, detail = replace(state, slowness=1), "reads at the usual rate"
    elif kind == "throttle":
        state = replace(state, slowness=min(SLOWEST, 2 * state.slowness))
        detail = f"reads once in {state.slowness} intervals"
    elif kind == "alert":
        detail = decision.reason or "the host needs a person"
    done = kind in ("observe", "throttle", "alert")
    return state, (carried_out(decision, decision.act, detail, done=done),)
