"""The bus against bare eclipse-zenoh callbacks: round trip and throughput through a router.

Publisher, router and subscriber are processes of their own. Both sides encode and decode the same 342-byte
message with the same quality of service, and the bus runs on the loop of the services; rounds alternate, so
that drift of the machine hits both.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

os.environ.setdefault("OMP_NUM_THREADS", "1")

import anyio
import msgspec
import numpy as np
import report
import zenoh
from emily_bus import Bus, BusSettings
from emily_bus.settings import session_config
from emily_bus.testing import router
from emily_contracts.envelope import Message, uuid7
from emily_contracts.topic import Priority, QoS, Topic

NAMESPACE = "emily/bench"
SIZE = 342
PINGS = 800
WARM_UP = 200
MESSAGES = 80_000
ROUNDS = 15
LIMIT_S = 120
GARBAGE_THRESHOLD = 20_000
"""As services of the runtime set it, on both sides."""


class Event(Message, frozen=True, kw_only=True):
    """What is sent: no validation of its own, so that the bus's share is not hidden behind it."""

    modality: str
    subject: str
    values: tuple[float, ...]
    text: str


LATENCY = QoS(priority=Priority.REAL_TIME, express=True)
PING = Topic("ping/{modality}", Event, "There.", LATENCY)
PONG = Topic("pong/{modality}", Event, "And back.", LATENCY)
FLOOD = Topic("flood/{modality}", Event, "As many as go.", QoS())


def message() -> Event:
    """An event of exactly 342 bytes of MessagePack."""
    at = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
    identity = uuid7(at, bytes(10))
    event = Event(
        id=identity,
        at=at,
        stimulus_id=identity,
        causation_id=identity,
        modality="vision",
        subject="default",
        values=(0.25,) * 8,
        text="x" * 40,
    )
    return msgspec.structs.replace(event, text="x" * (40 + SIZE - len(msgspec.msgpack.encode(event))))


def bare_session(endpoint: str) -> zenoh.Session:
    """A session configured as the bus configures its own."""
    return zenoh.open(zenoh.Config.from_json5(session_config(BusSettings(endpoint=endpoint), NAMESPACE)))


def bare_publisher(session: zenoh.Session, topic: Topic[Event]) -> zenoh.Publisher:
    """A declared publisher of the topic's quality of service."""
    return session.declare_publisher(
        topic.of(message()),
        congestion_control=zenoh.CongestionControl.BLOCK,
        priority=zenoh.Priority.REAL_TIME if topic.qos.express else zenoh.Priority.DATA,
        reliability=zenoh.Reliability.RELIABLE,
        express=topic.qos.express,
    )


def bare_echo(endpoint: str) -> None:
    """Answer each ping in the callback."""
    session = bare_session(endpoint)
    publisher = bare_publisher(session, PONG)
    encode, decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(Event).decode

    def arrived(sample: zenoh.Sample) -> None:
        publisher.put(encode(decode(sample.payload.to_bytes())))

    subscriber = session.declare_subscriber(PING.pattern(), arrived)
    say("ready")
    wait_for_end()
    subscriber.undeclare()  # type: ignore[no-untyped-call]
    session.close()  # type: ignore[no-untyped-call]


def bare_ping(endpoint: str) -> None:
    """Time each ping until its pong is decoded in the callback."""
    session = bare_session(endpoint)
    publisher = bare_publisher(session, PING)
    encode, decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(Event).decode
    ball = message()
    seconds: list[float] = []
    sent = 0.0
    done = threading.Event()

    def arrived(sample: zenoh.Sample) -> None:
        nonlocal sent
        decode(sample.payload.to_bytes())
        now = time.perf_counter()
        seconds.append(now - sent)
        if len(seconds) == PINGS + WARM_UP:
            done.set()
            return
        sent = time.perf_counter()
        publisher.put(encode(ball))

    subscriber = session.declare_subscriber(PONG.pattern(), arrived)
    sent = time.perf_counter()
    publisher.put(encode(ball))
    done.wait(LIMIT_S)
    say(json.dumps(seconds[WARM_UP:]))
    subscriber.undeclare()  # type: ignore[no-untyped-call]
    session.close()  # type: ignore[no-untyped-call]


def bare_sink(endpoint: str) -> None:
    """Decode in the callback; tell how long the messages after the warm-up took."""
    session = bare_session(endpoint)
    decode = msgspec.msgpack.Decoder(Event).decode
    count = 0
    begin = end = 0.0
    done = threading.Event()

    def arrived(sample: zenoh.Sample) -> None:
        nonlocal count, begin, end
        decode(sample.payload.to_bytes())
        count += 1
        if count == WARM_UP:
            begin = time.perf_counter()
        elif count == WARM_UP + MESSAGES:
            end = time.perf_counter()
            done.set()

    subscriber = session.declare_subscriber(FLOOD.pattern(), arrived)
    say("ready")
    done.wait(LIMIT_S)
    say(json.dumps(end - begin))
    subscriber.undeclare()  # type: ignore[no-untyped-call]
    session.close()  # type: ignore[no-untyped-call]


def bare_flood(endpoint: str) -> None:
    """Publish as fast as the link takes it."""
    session = bare_session(endpoint)
    publisher = bare_publisher(session, FLOOD)
    encode, drop = msgspec.msgpack.Encoder().encode, message()
    while True:
        publisher.put(encode(drop))


async def emily_echo(bus: Bus) -> None:
    """Answer each ping in the reader."""
    async with bus.subscribe(PING) as pings:
        say("ready")
        async for ping in pings:
            await bus.publish(PONG, ping)


async def emily_ping(bus: Bus) -> None:
    """Time each ping until its pong is in the reader's hands."""
    ball = message()
    seconds: list[float] = []
    async with bus.subscribe(PONG) as pongs:
        sent = time.perf_counter()
        await bus.publish(PING, ball)
        async for _ in pongs:
            seconds.append(time.perf_counter() - sent)
            if len(seconds) == PINGS + WARM_UP:
                break
            sent = time.perf_counter()
            await bus.publish(PING, ball)
    say(json.dumps(seconds[WARM_UP:]))


async def emily_sink(bus: Bus) -> None:
    """Count in the reader; tell how long the messages after the warm-up took."""
    count = 0
    begin = 0.0
    async with bus.subscribe(FLOOD) as floods:
        say("ready")
        async for _ in floods:
            count += 1
            if count == WARM_UP:
                begin = time.perf_counter()
            elif count == WARM_UP + MESSAGES:
                break
        say(json.dumps(time.perf_counter() - begin))


async def emily_flood(bus: Bus) -> None:
    """Publish as fast as the credit goes."""
    drop = message()
    while True:
        await bus.publish(FLOOD, drop)


def say(line: str) -> None:
    """A line for the parent."""
    print(line, flush=True)


def wait_for_end() -> None:
    """Until the parent ends this process."""
    threading.Event().wait(LIMIT_S)


def play(role: str, endpoint: str) -> None:
    """One process's part."""
    side, _, part = role.partition("-")
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    if side == "bare":
        bare: dict[str, Callable[[str], None]] = {
            "echo": bare_echo,
            "ping": bare_ping,
            "sink": bare_sink,
            "flood": bare_flood,
        }
        bare[part](endpoint)
    else:
        anyio.run(play_emily, part, endpoint, backend_options={"use_uvloop": True})


async def play_emily(part: str, endpoint: str) -> None:
    """A part over the bus."""
    parts = {"echo": emily_echo, "ping": emily_ping, "sink": emily_sink, "flood": emily_flood}
    async with Bus.open(BusSettings(endpoint=endpoint), namespace=NAMESPACE, name=part) as bus:
        await parts[part](bus)


class Process:
    """A part that runs; ended with the block."""

    def __init__(self, role: str, endpoint: str) -> None:
        command = (sys.executable, __file__, "--role", role, "--endpoint", endpoint)
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self._watchdog = threading.Timer(LIMIT_S, self._process.kill)
        self._watchdog.start()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exception: object) -> None:
        self._watchdog.cancel()
        self._process.kill()
        self._process.communicate()

    def line(self) -> str:
        """The next thing it says.

        Raises:
            RuntimeError: It ended without a word.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} said nothing; it ended or took over {LIMIT_S} s")
        return line.strip()


def round_trips(side: str, endpoint: str) -> list[float]:
    """Seconds of each round trip of one round."""
    with Process(f"{side}-echo", endpoint) as echo:
        echo.line()
        with Process(f"{side}-ping", endpoint) as ping:
            return list(map(float, json.loads(ping.line())))


def throughput(side: str, endpoint: str) -> float:
    """Messages a second of one round."""
    with Process(f"{side}-sink", endpoint) as sink:
        sink.line()
        with Process(f"{side}-flood", endpoint):
            return MESSAGES / float(sink.line())


def main() -> None:
    """Alternate the sides, print and write the figures."""
    sides = ("bare", "emily")
    trips: dict[str, list[list[float]]] = {side: [] for side in sides}
    rates: dict[str, list[float]] = {side: [] for side in sides}
    with router() as endpoint:
        for round_ in range(ROUNDS):
            for side in sides if round_ % 2 else reversed(sides):
                trips[side].append(round_trips(side, endpoint))
                rates[side].append(throughput(side, endpoint))
    p50 = {side: [float(np.median(trip)) for trip in trips[side]] for side in sides}
    p99 = {side: float(np.median([np.quantile(trip, 0.99) for trip in trips[side]])) for side in sides}
    slower = [emily / bare for emily, bare in zip(p50["emily"], p50["bare"], strict=True)]
    faster = [emily / bare for emily, bare in zip(rates["emily"], rates["bare"], strict=True)]
    figures = {
        "message_bytes": len(msgspec.msgpack.encode(message())),
        "rounds": ROUNDS,
        "round_trip_p50_us": {side: round(float(np.median(p50[side])) * 1e6, 1) for side in sides},
        "round_trip_p99_us": {side: round(p99[side] * 1e6, 1) for side in sides},
        "round_trip_ratio": {"median": float(np.median(slower)), "low": min(slower), "high": max(slower)},
        "messages_per_second": {side: round(float(np.median(rates[side]))) for side in sides},
        "throughput_ratio": {"median": float(np.median(faster)), "low": min(faster), "high": max(faster)},
    }
    for name, value in figures.items():
        print(f"{name:<22} {value}")
    report.write(
        "bus",
        figures=figures,
        bars=[
            report.bar("round trip p50, bus / bare callback (342 B)", float(np.median(slower)), "<=", 1.35),
            report.bar("throughput into async for, bus / bare callback", float(np.median(faster)), ">=", 0.6),
        ],
        versions=report.versions("eclipse-zenoh", "msgspec", "anyio", "uvloop"),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--role")
    parser.add_argument("--endpoint", default="")
    options = parser.parse_args()
    if options.role:
        play(options.role, options.endpoint)
    else:
        main()
