"""A mind that moves, on a real bus: what it remembers at a barrier, and what it takes over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import anyio
import msgspec
import numpy as np
import pytest
from emily_bus import AskTimeout, Bus, ErrorReply
from emily_contracts import (
    Adopted,
    Adoption,
    Barrier,
    Health,
    HealthRequest,
    Percept,
    StateRequest,
    StateSnapshot,
    Stimulus,
    bucket,
    uuid7,
)
from emily_contracts.topics import (
    ADOPT,
    HEALTH,
    PERCEPT,
    REFLEX_BARRIER,
    STATE,
    STIMULUS,
    WORKSPACE_BARRIER,
)
from emily_runtime import Emission, Mind, Refused, ServiceSettings
from emily_runtime.checkpoint import decode_state, encode_state
from emily_runtime.testing import ServiceProcess
from numpy.typing import NDArray

type Specimen = Callable[[str], ServiceProcess]

VERSION = 3


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What the mover remembers."""

    count: int = 0
    trace: NDArray[np.float64]
    subjects: dict[str, int] = {}


class Older(msgspec.Struct, frozen=True, kw_only=True):
    """What its version 2 remembered."""

    number: int
    trace: NDArray[np.float64]


class Stranger(msgspec.Struct, frozen=True):
    """What it never remembered."""

    name: str = "nobody"


def barrier(number: int = 0) -> Barrier:
    at = datetime.now(UTC)
    identity = uuid7(at, number.to_bytes(10))
    return Barrier(id=identity, at=at, stimulus_id=identity)


def opened(data: bytes) -> Counted:
    return decode_state(data, Counted, name="mover", version=VERSION)


def snapshot(state: msgspec.Struct, version: int = VERSION) -> StateSnapshot:
    data = encode_state(state, name="mover", version=version)
    return StateSnapshot(service="mover", version=version, code_version="1", state=data)


async def told(bus: Bus, at: UUID) -> StateSnapshot:
    return await bus.ask(STATE, StateRequest(service="mover", barrier=at), timeout=5)


async def state_now(bus: Bus) -> StateSnapshot:
    marker = barrier()
    await bus.publish(REFLEX_BARRIER, marker)
    return await told(bus, marker.id)


async def adopt(bus: Bus, given: StateSnapshot, low: int = 0, high: int = 10_000) -> Adopted:
    return await bus.ask(ADOPT, Adoption(service="mover", snapshot=given, low=low, high=high), timeout=5)


async def health(bus: Bus) -> Health:
    return await bus.ask(HEALTH, HealthRequest(service="mover"), timeout=5)


@pytest.fixture
def mover(specimen: Specimen) -> ServiceProcess:
    own = specimen("mover")
    own.start()
    return own


def afresh(mover: ServiceProcess) -> None:
    """Let it begin again from nothing."""
    assert mover.stop() == 0
    mover.checkpoint.unlink()
    mover.start()


def test_the_state_at_a_barrier_is_that_after_exactly_the_events_before_it(
    mover: ServiceProcess, on_loop: Any, stimuli: Any
) -> None:
    cuts = {1: barrier(1), 700: barrier(2), 701: barrier(3), 4000: barrier(4)}
    sent = stimuli(range(5000))

    async def live() -> None:
        async with mover.bus() as bus, bus.subscribe(PERCEPT, WORKSPACE_BARRIER) as said:

            async def speak() -> None:
                for number, stimulus in enumerate(sent, start=1):
                    await bus.publish(STIMULUS, stimulus)
                    if number in cuts:
                        await bus.publish(REFLEX_BARRIER, cuts[number])

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(speak)
                percepts, passed = 0, {}
                async for message in said:
                    if isinstance(message, Percept):
                        percepts += 1
                    else:
                        passed[message.id] = percepts
                    if percepts == len(sent):
                        break
            assert passed == {marker.id: number for number, marker in cuts.items()}
            for number, marker in cuts.items():
                state = await told(bus, marker.id)
                assert (state.service, state.version, state.cold_start) == ("mover", VERSION, "")
                assert opened(state.state).count == number

    on_loop(live)
    assert mover.stop() == 0


def test_who_asks_before_the_barrier_waits_for_it(mover: ServiceProcess, on_loop: Any, stimuli: Any) -> None:
    marker = barrier()

    async def live() -> None:
        async with mover.bus() as bus, anyio.create_task_group() as tasks:
            heard: list[int] = []

            async def ask() -> None:
                heard.append(opened((await told(bus, marker.id)).state).count)

            tasks.start_soon(ask)
            for stimulus in stimuli(range(3)):
                await bus.publish(STIMULUS, stimulus)
            await bus.publish(REFLEX_BARRIER, marker)
            while not heard:
                await anyio.sleep(0.001)
            assert heard == [3]

    on_loop(live)


def test_a_barrier_that_never_comes_costs_its_asker_the_deadline_and_the_mind_nothing(
    mover: ServiceProcess, on_loop: Any, stimuli: Any, percepts: Any
) -> None:
    async def live() -> None:
        async with mover.bus() as bus:
            request = StateRequest(service="mover", barrier=barrier().id)
            with pytest.raises(AskTimeout):
                await bus.ask(STATE, request, timeout=0.2)
            (percept,) = await percepts(bus, stimuli([0]))
            assert percept.label == "n1"

    on_loop(live)
    assert mover.stop() == 0, "who still waits for a barrier does not hold it up"


def test_the_last_four_states_are_kept(mover: ServiceProcess, on_loop: Any) -> None:
    async def live() -> None:
        async with mover.bus() as bus:
            markers = [barrier(number) for number in range(5)]
            for marker in markers:
                await bus.publish(REFLEX_BARRIER, marker)
            for marker in reversed(markers[1:]):
                await told(bus, marker.id)
            with pytest.raises(AskTimeout):
                await bus.ask(STATE, StateRequest(service="mover", barrier=markers[0].id), timeout=0.2)

    on_loop(live)


def test_who_takes_over_the_whole_goes_on_bit_for_bit(
    mover: ServiceProcess, on_loop: Any, stimuli: Any, percepts: Any
) -> None:
    first, second = stimuli(range(40)), stimuli(range(40, 60))

    async def before() -> tuple[StateSnapshot, list[Percept]]:
        async with mover.bus() as bus:
            await percepts(bus, first)
            moved = await state_now(bus)
            return moved, await percepts(bus, second)

    async def take_over(given: StateSnapshot) -> None:
        async with mover.bus() as bus:
            await percepts(bus, stimuli([99]))
            assert await adopt(bus, given) == Adopted(service="mover")
            assert (await state_now(bus)).state == given.state

    async def after() -> list[Percept]:
        async with mover.bus() as bus:
            return list(await percepts(bus, second))

    given, uninterrupted = on_loop(before)
    afresh(mover)
    on_loop(lambda: take_over(given))
    assert mover.metric("emily_adoptions_total", result="whole") == 1
    assert mover.metric("emily_adoption_seconds_count") == 1
    mover.kill()
    mover.start()
    assert on_loop(after) == uninterrupted, "it was on disk before the adoption was answered"
    assert mover.stop() == 0


def test_who_takes_over_some_subjects_keeps_the_others(
    mover: ServiceProcess, on_loop: Any, stimuli: Any, percepts: Any
) -> None:
    ada = bucket("ada")
    given = Counted(count=90, trace=np.full(4, 0.5), subjects={"ada": 50, "zoe": 40})

    async def live() -> None:
        async with mover.bus() as bus:
            await percepts(bus, stimuli(range(6)))
            assert await adopt(bus, snapshot(given), ada, ada + 1) == Adopted(service="mover")
            mixed = opened((await state_now(bus)).state)
            assert mixed.subjects == {"zoe": 2, "mia": 2, "ada": 50}
            assert (mixed.count, mixed.trace.tolist()) == (90, [0.5] * 4)

    on_loop(live)
    assert mover.metric("emily_adoptions_total", result="part") == 1


def test_an_adoption_comes_between_two_events(mover: ServiceProcess, on_loop: Any, stimuli: Any) -> None:
    sent: list[Stimulus] = stimuli(range(300), text="slow")
    given = snapshot(Counted(count=10_000, trace=np.zeros(4)))

    async def live() -> list[int]:
        async with mover.bus() as bus, bus.subscribe(PERCEPT) as said:
            numbers = []
            async with anyio.create_task_group() as tasks:
                for stimulus in sent:
                    await bus.publish(STIMULUS, stimulus)
                async for percept in said:
                    numbers.append(int(str(percept.label).removeprefix("n")))
                    if len(numbers) == 20:
                        tasks.start_soon(adopt, bus, given)
                    if len(numbers) == len(sent):
                        break
            return numbers

    numbers = on_loop(live)
    before = next(index for index, number in enumerate(numbers) if number > 10_000)
    assert numbers[:before] == list(range(1, before + 1))
    assert numbers[before:] == list(range(10_001, 10_001 + len(sent) - before))


def test_a_state_of_an_earlier_version_is_migrated_also_from_disk(
    mover: ServiceProcess, on_loop: Any
) -> None:
    older = Older(number=7, trace=np.arange(4.0))

    async def take_over() -> None:
        async with mover.bus() as bus:
            assert await adopt(bus, snapshot(older, version=2)) == Adopted(service="mover")
            await goes_on(bus)

    async def goes_on(bus: Bus) -> None:
        state = opened((await state_now(bus)).state)
        assert (state.count, state.trace.tolist(), state.subjects) == (7, [0, 1, 2, 3], {})

    async def restored() -> None:
        async with mover.bus() as bus:
            await goes_on(bus)
            assert (await health(bus)).cold_start == ""

    on_loop(take_over)
    mover.stop()
    mover.checkpoint.write_bytes(encode_state(older, name="mover", version=2))
    mover.start()
    on_loop(restored)


def test_a_version_that_nobody_can_migrate_is_told_and_changes_nothing_else(
    mover: ServiceProcess, on_loop: Any, stimuli: Any, percepts: Any
) -> None:
    async def live() -> None:
        async with mover.bus() as bus:
            for version in (1, 9):
                foreign = snapshot(Older(number=7, trace=np.zeros(4)), version=version)
                adopted = await adopt(bus, foreign, 0, 100)
                assert f"nothing was taken over for buckets 0 to 99: it holds mover in version {version}" in (
                    adopted.cold_start
                )
                assert (await health(bus)).cold_start == adopted.cold_start
                state = await state_now(bus)
                assert state.cold_start == adopted.cold_start
                assert opened(state.state).subjects == {"cold": 1}
            (percept,) = await percepts(bus, stimuli([0]))
            assert percept.label == "n1"

    async def be_given_a_whole_mind() -> None:
        async with mover.bus() as bus:
            await adopt(bus, snapshot(Counted(count=5, trace=np.ones(4), subjects={"zoe": 5})))
            assert (await health(bus)).cold_start == ""

    on_loop(live)
    assert mover.metric("emily_adoptions_total", result="cold") == 2
    assert mover.metric("emily_cold_start") == 1
    on_loop(be_given_a_whole_mind)
    assert mover.metric("emily_cold_start") == 0


def test_what_is_no_state_is_refused_and_changes_nothing(
    mover: ServiceProcess, on_loop: Any, stimuli: Any, percepts: Any
) -> None:
    def broken(whole: bytes) -> dict[str, bytes]:
        return {
            "not a checkpoint": b"",
            "its header can't be read": whole[:20],
            "its digest does not match": whole[:-1],
            "holds moved in version 3; mover": whole.replace(b"mover", b"moved"),
            "its body does not fit": encode_state(Stranger(), name="mover", version=VERSION),
            "its migration from version 2 failed": encode_state(Stranger(), name="mover", version=2),
        }

    async def live() -> None:
        async with mover.bus() as bus:
            await percepts(bus, stimuli(range(3)))
            before = await state_now(bus)
            for why, data in broken(before.state).items():
                with pytest.raises(ErrorReply, match=f"{why}.*nothing was adopted"):
                    await adopt(bus, msgspec.structs.replace(before, state=data))
            assert (await state_now(bus)).state == before.state

    on_loop(live)
    assert mover.metric("emily_adoptions_total", result="refused") == 6


def test_a_mind_that_can_not_be_divided_says_so() -> None:
    class Undivided(Mind[ServiceSettings, Counted]):
        name = "undivided"

        def initial(self) -> Counted:
            return Counted(trace=np.zeros(1))

        def step(self, state: Counted, event: Any) -> tuple[Counted, tuple[Emission, ...]]:
            return state, ()

    mind = Undivided(ServiceSettings())
    with pytest.raises(Refused, match="undivided moves only as a whole; send all buckets"):
        mind.merged(mind.initial(), mind.initial(), lambda _: True)
    assert mind.started_cold(mind.initial(), "why").count == 0


def test_a_mind_says_how_old_the_checkpoint_was_that_it_goes_on_from(
    mover: ServiceProcess, on_loop: Any, stimuli: Any, percepts: Any
) -> None:
    async def age() -> float | None:
        async with mover.bus() as bus:
            await percepts(bus, stimuli([0]))
            return (await health(bus)).restored_age_s

    assert on_loop(age) is None
    assert mover.stop() == 0
    mover.start()
    restored = on_loop(age)
    assert restored is not None
    assert restored >= 0
    assert mover.get("/healthz").json()["restored_age_s"] == restored
    (line,) = mover.logged("goes on from a checkpoint; what was lived through after it was written is lost")
    assert line["age_s"] == restored


def test_what_was_sent_ahead_of_a_barrier_does_not_touch_what_is_adopted_behind_it(
    mover: ServiceProcess, on_loop: Any, stimuli: Any
) -> None:
    given = Counted(count=40_000, trace=np.arange(3.0))

    async def live() -> None:
        async with mover.bus() as bus:
            marker = barrier()
            for stimulus in stimuli(range(2000)):
                await bus.publish(STIMULUS, stimulus)
            await bus.publish(REFLEX_BARRIER, marker)
            adoption = Adoption(service="mover", snapshot=snapshot(given), barrier=marker.id)
            assert await bus.ask(ADOPT, adoption, timeout=10) == Adopted(service="mover")
            assert opened((await state_now(bus)).state).count == given.count
            never = msgspec.structs.replace(adoption, barrier=uuid7(marker.at))
            with pytest.raises((ErrorReply, AskTimeout)):
                await bus.ask(ADOPT, never, timeout=0.2)

    on_loop(live)
