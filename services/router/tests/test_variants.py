"""A stimulus carries the variants that hold for its subject, and who judges them is told once."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from emily_contracts import Exposure
from emily_contracts.flags import ALPHA_PHASE_RESET, GFLOWNET_V2
from emily_contracts.topics import EXPOSURE, FLAGS, INBOUND_STIMULUS
from emily_flags import Replica, parse_flag
from emily_flags.testing import define, snapshot
from emily_router import variants
from emily_router.testing import on_loop, stage, stimulus
from emily_router.variants import Variants
from emily_runtime.testing import ServiceProcess
from msgspec.structs import replace
from prometheus_client import CollectorRegistry, Counter

CANARY = parse_flag(GFLOWNET_V2, define(targeting={"fractional": [["on", 50], ["off", 50]]}))
RESET = parse_flag(ALPHA_PHASE_RESET, define(defaultVariant="on"))
OTHER = parse_flag("other", define())


class _Bus:
    """Takes note of what is said."""

    def __init__(self) -> None:
        self.said: list[Exposure] = []

    async def publish(self, _: Any, message: Exposure) -> None:
        self.said.append(message)


@pytest.fixture
def untold() -> Counter:
    return Counter("untold", "Of a test.", registry=CollectorRegistry())


@pytest.fixture
def replica() -> Replica:
    known = Replica()
    known.take(snapshot(CANARY, RESET, OTHER))
    return known


def of(subject: str, episode: str = "e") -> Any:
    return replace(stimulus(), subject=subject, episode=episode)


def told(judge: Variants) -> list[tuple[str, str, str]]:
    """Every exposure that waits to be told."""
    bus: Any = _Bus()

    async def tell() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(judge.tell, bus)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()

    anyio.run(tell)
    return [(each.key, each.flag, each.variant) for each in bus.said]


def test_a_subject_has_one_variant_whatever_the_stimulus_said(replica: Replica, untold: Counter) -> None:
    judge = Variants(replica, untold)
    given = {judge.stamped(of(f"subject-{number}")).flags[GFLOWNET_V2] for number in range(50)}
    assert given == {"on", "off"}
    one = judge.stamped(of("ann")).flags
    assert one.keys() == {GFLOWNET_V2, ALPHA_PHASE_RESET}
    forged = replace(of("ann"), flags={GFLOWNET_V2: "forged", "other": "on"})
    assert judge.stamped(forged).flags == one


def test_without_flags_a_stimulus_stays_as_it_came(untold: Counter) -> None:
    sent = of("ann")
    assert Variants(Replica(), untold).stamped(sent) is sent


def test_a_flag_that_is_killed_is_left_to_the_code(replica: Replica, untold: Counter) -> None:
    killed = parse_flag(GFLOWNET_V2, CANARY.definition | {"state": "DISABLED"})
    replica.take(snapshot(killed, RESET, revision=2, after_s=1))
    assert Variants(replica, untold).stamped(of("ann")).flags == {ALPHA_PHASE_RESET: "on"}


def test_an_exposure_is_told_once_an_episode_and_when_the_variant_changes(
    replica: Replica, untold: Counter
) -> None:
    judge = Variants(replica, untold)
    for sent in (of("ann"), of("ann"), of("bob")):
        judge.expose(judge.stamped(sent))
    first = told(judge)
    assert sorted(key for key, _, _ in first) == ["ann", "ann", "bob", "bob"]
    replica.take(snapshot(parse_flag(ALPHA_PHASE_RESET, define()), CANARY, revision=2, after_s=1))
    judge.expose(judge.stamped(of("ann")))
    assert told(judge) == [("ann", ALPHA_PHASE_RESET, "off")]
    judge.expose(judge.stamped(of("ann", "next")))
    assert len(told(judge)) == 2


def test_what_waits_to_be_told_has_a_bound(
    replica: Replica, untold: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variants, "MOST_WAITING", 5)
    judge = Variants(replica, untold)
    for number in range(4):
        judge.expose(judge.stamped(of(f"subject-{number}")))
    assert len(told(judge)) == 5
    assert untold._value.get() == 3


@on_loop
async def test_the_colour_hears_the_variants_and_the_root_space_the_exposure(
    endpoint: str, fresh: ServiceProcess
) -> None:
    async with stage(endpoint, fresh) as seen, seen.root.subscribe(EXPOSURE) as exposures:
        await seen.root.publish(FLAGS, snapshot(CANARY, RESET))
        while not seen.forwarded or not seen.forwarded[-1].flags:
            before = len(seen.answers)
            await seen.root.publish(INBOUND_STIMULUS, of("ann"))
            await seen.until_answered(before + 1)
        carried = seen.forwarded[-1]
        heard = [await anext(aiter(exposures)) for _ in carried.flags]
    assert {each.flag: each.variant for each in heard} == carried.flags
    assert {(each.key, each.stimulus_id) for each in heard} == {("ann", carried.id)}
