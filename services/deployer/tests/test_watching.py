"""What is heard of colours on a real bus becomes evidence for or against them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
from emily_bus import Bus, BusSettings
from emily_bus.testing import router
from emily_contracts import Decision, Outcome, Signal, Stimulus, uuid7
from emily_contracts.decision import Act, ExpectedFreeEnergy, Status
from emily_contracts.envelope import successor_id
from emily_contracts.topics import OUTBOUND_DECISION, OUTCOME, STIMULUS
from emily_deployer.errors import StepFailed
from emily_deployer.judging import Criteria, Evidence
from emily_deployer.watching import MOST_OPEN, Notes, Watcher
from msgspec.structs import replace

pytestmark = pytest.mark.anyio

ENERGY = ExpectedFreeEnergy(total=2.0, risk=1.0, ambiguity=1.0, utility=0.0, state_information_gain=0.0)


@pytest.fixture(scope="module")
def settings() -> Iterator[BusSettings]:
    with router() as endpoint:
        yield BusSettings(endpoint=endpoint)


def stimulus() -> Stimulus:
    now = datetime.now(UTC)
    identity = uuid7(now)
    return Stimulus(
        id=identity,
        at=now,
        stimulus_id=identity,
        modality="vision",
        signals=(Signal(channel="fovea", values=(1.0,)),),
    )


def decision(cause: Stimulus, status: Status = Status.DECIDED, **changes: Any) -> Decision:
    fields: dict[str, Any] = {
        "id": successor_id(cause.id, "decision"),
        "at": cause.at,
        "stimulus_id": cause.id,
        "modality": cause.modality,
        "subject": cause.subject,
        "episode": cause.episode,
        "status": status,
        "act": Act(kind="report", label="seven"),
        "confidence": 0.8,
        "expected_free_energy": ENERGY,
    }
    return Decision(**(fields | changes))


def outcome(cause: Stimulus, reward: float) -> Outcome:
    return Outcome(
        id=successor_id(cause.id, "outcome"),
        at=cause.at,
        stimulus_id=cause.id,
        modality=cause.modality,
        subject=cause.subject,
        episode=cause.episode,
        decision_id=successor_id(cause.id, "decision"),
        reward=reward,
    )


def seen() -> dict[str, Evidence]:
    return {colour: Evidence(Criteria()) for colour in ("blue", "green")}


async def until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        while not holds():
            await anyio.sleep(0.002)


async def test_each_answer_counts_for_the_colour_that_gave_it(settings: BusSettings) -> None:
    evidence = seen()
    async with (
        Bus.open(settings, namespace="emily", name="root") as root,
        Bus.open(settings, namespace="emily/blue", name="blue") as blue,
        Bus.open(settings, namespace="emily/green", name="green") as green,
        Watcher(settings).watch(evidence),
    ):
        asked = [(blue, stimulus()) for _ in range(3)] + [(green, stimulus()) for _ in range(2)]
        for space, each in asked:
            await space.publish(STIMULUS, each)
        await anyio.sleep(0.2)
        for space, each in asked:
            status = Status.DECIDED if space is blue else Status.DEGRADED
            await root.publish(OUTBOUND_DECISION, decision(each, status))
        await blue.publish(OUTCOME, outcome(asked[0][1], 1.0))
        await green.publish(OUTCOME, outcome(asked[4][1], -1.0))
        await until(lambda: evidence["blue"].stimuli == 3 and evidence["green"].stimuli == 2)
        await until(lambda: evidence["blue"].wrong.trials + evidence["green"].wrong.trials == 2)
    assert (evidence["blue"].failures.happened, evidence["green"].failures.happened) == (0, 2)
    assert (evidence["blue"].wrong.happened, evidence["green"].wrong.happened) == (0, 1)
    assert evidence["blue"].confidence.trials == 3
    assert evidence["green"].confidence.trials == 0
    assert evidence["blue"].free_energy.mean == pytest.approx(2.0)
    assert 0.2 <= evidence["blue"].latencies.quantile(0.5) < 10


def test_one_that_is_sent_again_counts_once_and_from_the_first_time_on() -> None:
    evidence, cause = seen(), stimulus()
    notes = Notes(evidence)
    notes.forwarded("blue", cause, now=1.0)
    notes.forwarded("blue", cause, now=1.5)
    notes.answered(decision(cause), now=2.0)
    notes.answered(decision(cause), now=3.0)
    assert evidence["blue"].stimuli == 1
    assert evidence["blue"].latencies.quantile(0.5) == pytest.approx(1.0, rel=0.02)


def test_what_was_never_forwarded_counts_for_nobody() -> None:
    evidence = seen()
    Notes(evidence).answered(decision(stimulus(), Status.FAILED), now=1.0)
    assert (evidence["blue"].stimuli, evidence["green"].stimuli) == (0, 0)


def test_what_is_never_answered_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_OPEN > 2
    monkeypatch.setattr("emily_deployer.watching.MOST_OPEN", 2)
    evidence = seen()
    notes = Notes(evidence)
    causes = [stimulus() for _ in range(3)]
    for cause in causes:
        notes.forwarded("blue", cause, now=1.0)
    for cause in causes:
        notes.answered(decision(cause), now=2.0)
    assert evidence["blue"].stimuli == 2


async def test_a_failure_in_the_block_comes_out_as_it_is(settings: BusSettings) -> None:
    with pytest.raises(StepFailed, match=r"^because$"):
        async with Watcher(settings).watch(seen()):
            raise StepFailed("because")


def test_subjects_count_under_the_variants_that_their_stimuli_carry() -> None:
    evidence = seen()
    notes = Notes(evidence)
    for subject, variant in (("one", "on"), ("one", "on"), ("two", "off"), ("three", "off")):
        notes.forwarded("green", replace(stimulus(), subject=subject, flags={"rule": variant}), 0.0)
    assert evidence["green"].exposures.variants == {"rule": {"on": 1, "off": 2}}
    assert evidence["blue"].exposures.variants == {}
