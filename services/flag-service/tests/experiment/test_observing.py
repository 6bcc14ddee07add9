"""What becomes of subjects is added up under the variant that holds for them."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from emily_contracts import Act, Decision, ExpectedFreeEnergy, Exposure, Outcome, Status, uuid7
from emily_flag_service.experiment import observing
from emily_flag_service.experiment.observing import Observer
from emily_flag_service.experiment.trial import Sums, Trial

AT = datetime(2026, 1, 1, tzinfo=UTC)
NOW = AT.timestamp() + 0.02


def identity() -> UUID:
    return uuid7(AT)


def exposure(subject: str, variant: str = "on", flag: str = "a") -> Exposure:
    return Exposure(id=identity(), at=AT, stimulus_id=identity(), flag=flag, variant=variant, key=subject)


def decision(subject: str, act: str = "look", status: Status = Status.DECIDED) -> Decision:
    energy = ExpectedFreeEnergy(total=2.0, risk=1.0, ambiguity=1.0, utility=0, state_information_gain=0)
    return Decision(
        id=identity(),
        at=AT,
        stimulus_id=identity(),
        modality="vision",
        subject=subject,
        episode="e",
        status=status,
        act=Act(kind=act),
        expected_free_energy=energy if status is Status.DECIDED else None,
    )


def outcome(subject: str, reward: float) -> Outcome:
    return Outcome(
        id=identity(),
        at=AT,
        stimulus_id=identity(),
        modality="vision",
        subject=subject,
        episode="e",
        decision_id=identity(),
        reward=reward,
    )


def trial(subject: str, variant: str = "on", version: int = 1, flag: str = "a") -> Trial:
    return Trial(flag=flag, version=version, variant=variant, subject=subject)


def test_answers_and_outcomes_of_a_subject_are_added_up() -> None:
    observer = Observer(lambda: {"a": 1})
    events = [
        exposure("ann"),
        decision("ann"),
        decision("ann", "report"),
        decision("ann", "none", Status.DEGRADED),
        outcome("ann", 1.0),
        outcome("ann", -1.0),
    ]
    for event in events:
        observer.hear(event, now=NOW)
    (sums,) = observer.taken().values()
    assert sums.latency_ms == pytest.approx(60.0, abs=0.01)
    assert (sums.answers, sums.failures, sums.timed, sums.looks) == (3, 1, 3, 1)
    assert (sums.weighed, sums.energy, sums.outcomes, sums.right) == (2, 4.0, 2, 1)
    assert observer.taken() == {}


def test_who_was_exposed_to_nothing_is_not_counted() -> None:
    observer = Observer(lambda: {"a": 1})
    for event in (decision("ann"), outcome("ann", 1.0), exposure("bob", flag="unknown"), decision("bob")):
        observer.hear(event, now=NOW)
    assert observer.taken() == {}


def test_a_subject_under_two_flags_is_counted_for_both() -> None:
    observer = Observer(lambda: {"a": 1, "b": 4})
    for event in (exposure("ann"), exposure("ann", "off", "b"), decision("ann")):
        observer.hear(event, now=NOW)
    assert {each: sums.answers for each, sums in observer.taken().items()} == {
        trial("ann"): 1,
        trial("ann", "off", 4, "b"): 1,
    }


def test_a_subject_that_changes_its_variant_is_counted_under_the_new_one() -> None:
    observer = Observer(lambda: {"a": 1})
    for event in (exposure("ann"), exposure("ann", "off"), decision("ann")):
        observer.hear(event, now=NOW)
    assert {each: sums.answers for each, sums in observer.taken().items()} == {
        trial("ann"): 0,
        trial("ann", "off"): 1,
    }


def test_a_change_of_the_flag_begins_anew() -> None:
    versions = {"a": 1}
    observer = Observer(lambda: versions)
    observer.hear(exposure("ann"), now=NOW)
    observer.taken()
    versions["a"] = 2
    observer.hear(decision("ann"), now=NOW)
    assert observer.taken() == {}
    observer.hear(exposure("ann"), now=NOW)
    observer.hear(decision("ann"), now=NOW)
    assert observer.taken()[trial("ann", version=2)].answers == 1


def test_a_clock_that_is_far_off_tells_no_latency() -> None:
    observer = Observer(lambda: {"a": 1}, [trial("ann")])
    for now in (NOW - 5, NOW + 3600):
        observer.hear(decision("ann"), now=now)
    (sums,) = observer.taken().values()
    assert (sums.answers, sums.timed) == (2, 0)


def test_what_could_not_be_kept_is_added_to_what_came_since() -> None:
    observer = Observer(lambda: {"a": 1}, [trial("ann"), trial("bob")])
    observer.hear(decision("ann"), now=NOW)
    observer.hear(decision("bob"), now=NOW)
    failed = observer.taken()
    observer.hear(decision("ann"), now=NOW)
    observer.put_back(failed)
    again = observer.taken()
    assert (again[trial("ann")].answers, again[trial("bob")].answers) == (2, 1)


def test_there_is_a_bound_and_what_is_beyond_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "MOST_TRIALS", 3)
    observer = Observer(lambda: {"a": 1})
    for number in range(5):
        observer.hear(exposure(f"subject-{number}"), now=NOW)
    assert len(observer.taken()) == 3
    assert observer.lost == 2
    observer.hear(exposure("subject-1"), now=NOW)
    assert observer.taken() == {trial("subject-1"): Sums()}
