"""Stimuli at a steady rate through switches, kills and restarts, and what became of each of them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import anyio
import anyio.to_thread
from emily_bus import AskError, Bus, BusCongested, BusSettings, BusUnavailable, Subscription
from emily_bus.testing import free_endpoint, start_router
from emily_contracts import Decision, Signal, Stimulus, uuid7
from emily_contracts.decision import Status
from emily_contracts.routing import ChangeTraffic, RoutingTable, TrafficRequest
from emily_contracts.topics import CHANGE_TRAFFIC, CURRENT_TRAFFIC, INBOUND_STIMULUS, OUTBOUND_DECISION
from emily_runtime.testing import ServiceProcess, service_process
from emily_runtime.tokens import read

COLOURS = ("blue", "green")
SUBJECTS = 512
TICK_S = 0.01
DEADLINE_MS = 4000
AGAIN_S = 3.0
"""A client sends once more what has no answer for so long, or was refused."""
ASK_S = 3.0
END_S = 60.0
MOST_WAITING = 4000
"""Of a client that does not run ahead of answers for ever."""
READY_S = 10.0


@dataclass
class Town:
    """Processes of a bus, a router and two colours that count."""

    endpoint: str
    router: ServiceProcess
    broker: subprocess.Popen[bytes]
    colours: dict[str, subprocess.Popen[str]] = field(default_factory=dict)

    def found(self, colour: str) -> None:
        """Start a colour, and return when it answers."""
        process = subprocess.Popen(
            [
                sys.executable, "-m", "emily_router.testing.standin",
                "--endpoint", self.endpoint, "--namespace", f"emily/{colour}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        self.colours[colour] = process
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{colour} did not start")

    def kill_colour(self, colour: str) -> None:
        """kill -9, and start it again from nothing."""
        self.colours[colour].kill()
        self.colours[colour].wait()
        self.found(colour)

    def kill_router(self) -> None:
        """kill -9, and start it again on what it kept."""
        self.router.kill()
        self.router.start(http_port="0")

    def restart_broker(self) -> None:
        """End the bus, and start it again at the same place."""
        self.broker.terminate()
        self.broker.wait()
        self.broker = start_router(self.endpoint)

    def end(self) -> None:
        """Kill what lives."""
        for process in self.colours.values():
            process.kill()
            process.wait()
        self.broker.kill()
        self.broker.wait()


@contextmanager
def town(folder: Path) -> Iterator[Town]:
    """A bus, a router and two colours that count, until the block is left."""
    endpoint = free_endpoint()
    with ExitStack() as stack:
        broker = start_router(endpoint)
        router = stack.enter_context(
            service_process("router", endpoint=endpoint, namespace="emily", state_dir=folder)
        )
        made = Town(endpoint, router, broker)
        stack.callback(made.end)
        for colour in COLOURS:
            made.found(colour)
        router.start(http_port="0")
        yield made


class Calm(NamedTuple):
    """A time in which one colour answered all, and nobody hurt anything."""

    colour: str
    begin: float
    end: float


@dataclass
class Ledger:
    """What a client knows of its own stimuli.

    Attributes:
        sent: When each was sent first.
        answers: Ids of the answers to each; refusals are not answers.
        by: The colour that each was answered by first, and when.
        refused: Refusals, such as for want of room.
        statuses: Of first answers.
    """

    sent: dict[UUID, float] = field(default_factory=dict)
    answers: dict[UUID, set[UUID]] = field(default_factory=dict)
    by: dict[UUID, tuple[str, float]] = field(default_factory=dict)
    refused: int = 0
    again: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    waiting: dict[UUID, Stimulus] = field(default_factory=dict)
    due: deque[tuple[float, UUID]] = field(default_factory=deque)

    def send(self, stimulus: Stimulus) -> None:
        """Note a stimulus that is on its way."""
        now = time.monotonic()
        self.sent.setdefault(stimulus.id, now)
        self.waiting[stimulus.id] = stimulus
        self.due.append((now + AGAIN_S, stimulus.id))

    def hear(self, decision: Decision) -> None:
        """Note an answer."""
        identity = decision.stimulus_id
        if decision.status is Status.FAILED and "retry" in decision.reason:
            self.refused += 1
            return
        known = self.answers.setdefault(identity, set())
        if not known:
            self.statuses[decision.status.value] += 1
            self.by[identity] = (decision.reason, time.monotonic())
        known.add(decision.id)
        self.waiting.pop(identity, None)

    def overdue(self) -> list[Stimulus]:
        """What has had no answer for too long."""
        now, found = time.monotonic(), []
        while self.due and self.due[0][0] <= now:
            _, identity = self.due.popleft()
            stimulus = self.waiting.get(identity)
            if stimulus is not None:
                found.append(stimulus)
        return found

    def misrouted(self, calms: list[Calm]) -> int:
        """Stimuli that were sent and answered in one calm, by another colour than that which answered all."""
        wrong, number = 0, 0
        for identity, began in self.sent.items():
            while number < len(calms) and calms[number].end < began:
                number += 1
            if number == len(calms) or identity not in self.by:
                continue
            calm, (colour, ended) = calms[number], self.by[identity]
            if calm.begin <= began and ended <= calm.end and colour in COLOURS:
                wrong += colour != calm.colour
        return wrong


@dataclass
class Storm:
    """A run of stimuli through everything that can happen.

    Attributes:
        ledger: The client's.
        switch_ms: How long each switch took from the order to its end.
        calms: Times between two acts.
        acts: How often what was done.
        seconds: That stimuli were offered.
    """

    ledger: Ledger = field(default_factory=Ledger)
    switch_ms: list[float] = field(default_factory=list)
    calms: list[Calm] = field(default_factory=list)
    acts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


async def blow(town: Town, *, stimuli: int, rate: int, acts: list[str]) -> Storm:
    """Offer stimuli at a rate, do the acts in their order spread evenly over them, and wait for every answer.

    Args:
        acts: Of `switch`, `router`, `blue`, `green`, `broker`.
    """
    storm = Storm()
    async with (
        Bus.open(BusSettings(endpoint=town.endpoint), namespace="emily", name="client") as bus,
        bus.subscribe(OUTBOUND_DECISION) as decisions,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(_listen, decisions, storm.ledger)
        began = time.monotonic()
        async with anyio.create_task_group() as both:
            both.start_soon(_offer, bus, storm.ledger, stimuli, rate)
            both.start_soon(_act, town, bus, storm, acts, stimuli / rate)
        storm.seconds = time.monotonic() - began
        with anyio.move_on_after(END_S):
            while storm.ledger.waiting:
                await _again(bus, storm.ledger)
                await anyio.sleep(0.1)
        tasks.cancel_scope.cancel()
    return storm


async def _listen(decisions: Subscription, ledger: Ledger) -> None:
    async for decision in decisions:
        ledger.hear(decision)


async def _offer(bus: Bus, ledger: Ledger, stimuli: int, rate: int) -> None:
    """At the rate on average; after a pause in which nothing could be sent it does not catch up at once."""
    began, count = time.monotonic(), 0
    while count < stimuli:
        wanted = min(stimuli, int((time.monotonic() - began) * rate))
        for _ in range(min(wanted - count, 2 * int(rate * TICK_S))):
            if len(ledger.waiting) >= MOST_WAITING:
                break
            await _send(bus, ledger, stimulus(count))
            count += 1
        await _again(bus, ledger)
        await anyio.sleep(TICK_S)


async def _again(bus: Bus, ledger: Ledger) -> None:
    for stimulus in ledger.overdue():
        ledger.again += 1
        await _send(bus, ledger, stimulus)


async def _send(bus: Bus, ledger: Ledger, stimulus: Stimulus) -> None:
    ledger.send(stimulus)
    with contextlib.suppress(BusCongested):  # it is sent again
        await bus.publish(INBOUND_STIMULUS, stimulus)


def stimulus(number: int) -> Stimulus:
    """The stimulus of that number, of one of the subjects."""
    at = datetime.now(UTC)
    identity = uuid7(at)
    return Stimulus(
        id=identity,
        at=at,
        stimulus_id=identity,
        modality="vision",
        subject=f"s{number % SUBJECTS}",
        signals=(Signal(channel="fovea", values=(1.0,)),),
        deadline_ms=DEADLINE_MS,
    )


async def _act(town: Town, bus: Bus, storm: Storm, acts: list[str], seconds: float) -> None:
    """Do what is to be done, one thing at a time, at even distances."""
    began = calm = time.monotonic()
    active = COLOURS[0]
    hurt: dict[str, Callable[[], None]] = {
        "router": town.kill_router,
        "blue": lambda: town.kill_colour("blue"),
        "green": lambda: town.kill_colour("green"),
        "broker": town.restart_broker,
    }
    for number, act in enumerate(acts):
        await anyio.sleep(max(0.0, began + seconds * (number + 1) / (len(acts) + 1) - time.monotonic()))
        storm.calms.append(Calm(active, calm, time.monotonic()))
        if act == "switch":
            other = COLOURS[1 - COLOURS.index(active)]
            took = await _switch(town, bus, other)
            if took is not None:
                storm.switch_ms.append(1e3 * took)
                active = other
                storm.acts[act] += 1
        else:
            await anyio.to_thread.run_sync(hurt[act])
            storm.acts[act] += 1
            # What was under way then is heard of by its deadline.
            await anyio.sleep(AGAIN_S / 2)
        calm = time.monotonic()
    storm.calms.append(Calm(active, calm, time.monotonic()))


async def _switch(town: Town, bus: Bus, colour: str) -> float | None:
    """Seconds that it took; none when it was refused, after which nothing has changed."""
    token = next(iter(read(town.router.state_dir / "traffic.token").values()))
    try:
        table: RoutingTable = (await bus.ask(CURRENT_TRAFFIC, TrafficRequest(), timeout=ASK_S)).table
        order: Any = ChangeTraffic(token=token, version=table.version, active=colour)
        began = time.perf_counter()
        await bus.ask(CHANGE_TRAFFIC, order, timeout=ASK_S)
    except (AskError, BusUnavailable) as failure:
        print("switch refused:", failure, flush=True)
        return None
    return time.perf_counter() - began
