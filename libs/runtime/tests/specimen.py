"""Tiny services that the tests run as real processes: `python specimen.py NAME`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import anyio
import msgspec
import numpy as np
from emily_contracts import (
    Attention,
    AttentionRequest,
    Broadcast,
    Modulation,
    Percept,
    Recall,
    RecallRequest,
    Standing,
    StandingRequest,
    Stimulus,
    successor_id,
)
from emily_contracts.topic import AnyQuery, AnyTopic
from emily_contracts.topics import (
    ATTEND,
    BROADCAST,
    CURRENT_STANDING,
    PERCEPT,
    RECALL,
    REFLEX_BARRIER,
    STANDING,
    STIMULUS,
    WORKSPACE_BARRIER,
)
from emily_runtime import (
    Emission,
    Gauges,
    Life,
    Migration,
    Mind,
    Question,
    Refused,
    Service,
    ServiceSettings,
    run,
)
from numpy.typing import NDArray

STEP_S = 0.002
ASK_TIMEOUT_S = 0.2
PAUSE_S = 0.3


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """How many stimuli came, a trace of their values, and how often each subject came."""

    count: int = 0
    trace: NDArray[np.float64]
    subjects: dict[str, int] = {}


class Counter(Mind[ServiceSettings, Counted]):
    """Labels each percept with its number; refuses `bad` and stumbles over `broken`."""

    name = "counter"
    settings_type = ServiceSettings
    state_type = Counted
    state_version = 3
    hears: ClassVar[tuple[AnyTopic, ...]] = (STIMULUS,)
    gauges: ClassVar[Mapping[str, tuple[str, str]]] = {"specimen_subjects": ("subject", "Stimuli by subject")}

    def initial(self) -> Counted:
        return Counted(trace=np.zeros(4))

    def step(self, state: Counted, event: Stimulus) -> tuple[Counted, tuple[Emission, ...]]:
        if event.modality == "bad":
            raise Refused("modality: 'bad' is not sensed; send vision")
        if event.text == "broken":
            raise KeyError("a fault of the mind")
        if event.text == "slow":
            time.sleep(STEP_S)
        moved = Counted(
            count=state.count + 1,
            trace=0.9 * np.roll(state.trace, 1) + np.sin(event.signals[0].values[0]),
            subjects=state.subjects | {event.subject: state.subjects.get(event.subject, 0) + 1},
        )
        label = "in a key this is wrong" if event.text == "unspeakable" else f"n{moved.count}"
        percept = Percept(
            id=successor_id(event.id, "percept"),
            at=event.at,
            stimulus_id=event.stimulus_id,
            causation_id=event.id,
            modality=label if event.text == "unspeakable" else event.modality,
            subject=event.subject,
            episode="-".join(moved.subjects),
            modulation=Modulation(),
            label=label,
            novelty=float(moved.trace.sum()),
        )
        return moved, (Emission(PERCEPT, percept),)

    def answers(self) -> Mapping[AnyQuery, Callable[[Counted, Any], Any]]:
        return {ATTEND: _attend}

    def observe(self, state: Counted) -> Gauges:
        return {"specimen_subjects": {subject: float(count) for subject, count in state.subjects.items()}}


class Mover(Counter):
    """A counter that moves; its version 2 did not know subjects, and called the count `number`."""

    name = "mover"
    barrier = REFLEX_BARRIER
    passes_barrier = WORKSPACE_BARRIER
    migrations: ClassVar[Mapping[int, Migration]] = {
        2: lambda old: {"count": old["number"], "trace": old["trace"], "subjects": {}}
    }

    def merged(self, own: Counted, given: Counted, moves: Callable[[str], bool]) -> Counted:
        elder = given if given.count > own.count else own
        stays = {subject: count for subject, count in own.subjects.items() if not moves(subject)}
        comes = {subject: count for subject, count in given.subjects.items() if moves(subject)}
        return Counted(count=elder.count, trace=elder.trace, subjects=stays | comes)

    def started_cold(self, state: Counted, why: str) -> Counted:
        return Counted(count=state.count, trace=state.trace, subjects=state.subjects | {"cold": 1})


class Relay(Mind[ServiceSettings, Counted]):
    """Says a broadcast for each percept."""

    name = "relay"
    settings_type = ServiceSettings
    state_type = Counted
    state_version = 1
    hears: ClassVar[tuple[AnyTopic, ...]] = (PERCEPT,)

    def initial(self) -> Counted:
        return Counted(trace=np.zeros(1))

    def step(self, state: Counted, event: Percept) -> tuple[Counted, tuple[Emission, ...]]:
        broadcast = Broadcast(
            id=successor_id(event.id, "broadcast"),
            at=event.at,
            stimulus_id=event.stimulus_id,
            causation_id=event.id,
            modality=event.modality,
            subject=event.subject,
            episode=event.episode,
            modulation=event.modulation,
        )
        return state, (Emission(BROADCAST, broadcast),)


class Wondered(msgspec.Struct, frozen=True, kw_only=True):
    """What was answered last."""

    answer: str = "nothing"


class Wonderer(Mind[ServiceSettings, Wondered]):
    """Asks memory about `zoe`, and labels percepts with the last answer; thinks long about `slow`."""

    name = "wonderer"
    settings_type = ServiceSettings
    state_type = Wondered
    state_version = 1
    hears: ClassVar[tuple[AnyTopic, ...]] = (STIMULUS,)

    def initial(self) -> Wondered:
        return Wondered()

    def wonders(self, state: Wondered, event: Stimulus) -> Question | None:
        if event.subject != "zoe":
            return None
        return Question(RECALL, RecallRequest(namespace="past", text=event.subject), ASK_TIMEOUT_S)

    def told(self, state: Wondered, event: Stimulus, answer: Recall | None) -> Wondered:
        return Wondered(answer="unanswered" if answer is None else answer.path)

    def step(self, state: Wondered, event: Stimulus) -> tuple[Wondered, tuple[Emission, ...]]:
        if event.text == "slow":
            time.sleep(PAUSE_S)
        percept = Percept(
            id=successor_id(event.id, "percept"),
            at=event.at,
            stimulus_id=event.stimulus_id,
            modality=event.modality,
            subject=event.subject,
            episode=event.episode,
            modulation=Modulation(),
            label=state.answer,
        )
        return state, (Emission(PERCEPT, percept),)


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody said this colour is, and how many stimuli nobody has fetched."""

    role: str = "unknown"
    count: int = 0


class Debtor(Mind[ServiceSettings, Owed]):
    """Asks at its start what it is, and counts stimuli until the count is fetched."""

    name = "debtor"
    settings_type = ServiceSettings
    state_type = Owed
    state_version = 1
    hears: ClassVar[tuple[AnyTopic, ...]] = (STIMULUS, STANDING)
    asks_first = Question(CURRENT_STANDING, StandingRequest(), ASK_TIMEOUT_S)
    gauges: ClassVar[Mapping[str, tuple[str, str]]] = {"specimen_owed": ("role", "Stimuli not fetched")}

    def initial(self) -> Owed:
        return Owed()

    def step(self, state: Owed, event: Stimulus | Standing) -> tuple[Owed, tuple[Emission, ...]]:
        if isinstance(event, Standing):
            return Owed(role=event.role.value, count=state.count), ()
        return Owed(role=state.role, count=state.count + 1), ()

    def exchanges(self) -> Mapping[AnyQuery, Callable[[Owed, Any], tuple[Owed, Any]]]:
        return {ATTEND: _fetched}

    def observe(self, state: Owed) -> Gauges:
        return {"specimen_owed": {state.role: float(state.count)}}


class WebSettings(ServiceSettings, frozen=True, kw_only=True):
    """How the service behaves."""

    behaviour: Literal[
        "calm", "crashing", "stubborn", "unready", "done", "flaky", "unservable", "patient"
    ] = "calm"


class Web(Service[WebSettings]):
    """Serves `/own`, and lives as its settings say."""

    name = "web"
    settings_type = WebSettings
    needs = ("database", "subscriptions")

    def __init__(self, settings: WebSettings) -> None:
        super().__init__(settings)
        self._asked = anyio.Event()

    def http(self, life: Life) -> Any:
        async def application(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                message = await receive()
                failed = self.settings.behaviour == "unservable"
                await send({"type": f"{message['type']}.{'failed' if failed else 'complete'}"})
                return
            self._asked.set()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": f"own {life.version}".encode()})

        return application

    async def main(self, life: Life) -> None:
        life.ready("subscriptions")
        if self.settings.behaviour == "unready":
            life.ready("database", met=False)
            await life.stopping.wait()
        if self.settings.behaviour == "crashing":
            raise LookupError("the database is gone")
        if self.settings.behaviour == "flaky":
            await life.tasks.restarting("database", _Flaky(life).connect, first_pause_s=0.01)
        if self.settings.behaviour == "done":
            return
        life.ready("database")
        await life.stopping.wait()
        if self.settings.behaviour == "patient":
            await self._asked.wait()
        if self.settings.behaviour == "stubborn":
            await anyio.sleep_forever()


class _Flaky:
    """Connects at the third attempt."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._attempts = 0

    async def connect(self) -> None:
        self._attempts += 1
        if self._attempts < 3:
            raise ConnectionError(f"attempt {self._attempts}")


def _attend(state: Counted, request: AttentionRequest) -> Attention:
    if request.phase is not None:
        raise Refused("phase: leave it out")
    return Attention(gated=request.drives, emitted=(), latency_ms=(), phase=0.0, frequency=float(state.count))


def _fetched(state: Owed, request: AttentionRequest) -> tuple[Owed, Attention]:
    if request.phase is not None:
        raise Refused("phase: leave it out")
    count = float(state.count)
    return Owed(role=state.role), Attention(
        gated=request.drives, emitted=(), latency_ms=(), phase=0.0, frequency=count
    )


SPECIMENS: dict[str, Any] = {kind.name: kind for kind in (Counter, Mover, Relay, Wonderer, Debtor, Web)}

if __name__ == "__main__":
    run(SPECIMENS[sys.argv[1]], sys.argv[2:])
