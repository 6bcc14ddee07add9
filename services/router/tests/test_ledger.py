from __future__ import annotations

from collections import Counter
from uuid import UUID

from emily_contracts.decision import Status
from emily_contracts.stimulus import Stimulus
from emily_router.ledger import Admission, Ledger
from emily_router.testing import decision_of, percept_of, stimulus
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule


class OneAnswerEach(RuleBasedStateMachine):
    """Whatever comes in whatever order, an accepted stimulus gets exactly one answer."""

    stimuli = Bundle("stimuli")

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(in_flight=4, remembered=1000, remember_s=1000)
        self.now = 0.0
        self.accepted: set[UUID] = set()
        self.answers: Counter[UUID] = Counter()

    @rule(target=stimuli, deadline_ms=st.sampled_from((10, 100, 1000)))
    def make(self, deadline_ms: int) -> Stimulus:
        return stimulus(deadline_ms=deadline_ms)

    @rule(item=stimuli)
    def admit(self, item: Stimulus) -> None:
        admission = self.ledger.admit(item, colour="blue", now=self.now)
        identity = item.id
        if admission is Admission.ACCEPTED:
            assert identity not in self.accepted
            self.accepted.add(identity)
        if admission is Admission.ANSWERED:
            assert self.answers[identity] == 1

    @rule(item=stimuli)
    def hear(self, item: Stimulus) -> None:
        self.ledger.hear(percept_of(item), colour="blue")

    @rule(item=stimuli)
    def decide(self, item: Stimulus) -> None:
        if self.ledger.settle(decision_of(item), now=self.now):
            self.answers[item.id] += 1

    @rule(seconds=st.floats(0, 2))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        for decision in self.ledger.due(now=self.now).answers:
            self.answers[decision.stimulus_id] += 1

    @invariant()
    def nobody_is_answered_twice_or_unasked(self) -> None:
        assert set(self.answers) <= self.accepted
        assert all(count == 1 for count in self.answers.values())
        assert self.ledger.in_flight == len(self.accepted) - len(self.answers) <= 4

    def teardown(self) -> None:
        self.wait(60.0)
        assert set(self.answers) == self.accepted


TestOneAnswerEach = OneAnswerEach.TestCase
TestOneAnswerEach.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_silence_is_forwarded_again_once_at_half_of_the_deadline() -> None:
    ledger = Ledger()
    ledger.admit(stimulus(deadline_ms=1000), colour="blue", now=0.0)
    assert ledger.due(now=0.49).forward_again == ()
    (again,) = ledger.due(now=0.5).forward_again
    assert again.colour == "blue"
    assert ledger.due(now=0.6).forward_again == ()


def test_a_percept_keeps_a_stimulus_from_being_forwarded_again() -> None:
    ledger = Ledger()
    item = stimulus(deadline_ms=1000)
    ledger.admit(item, colour="blue", now=0.0)
    assert ledger.hear(percept_of(item), colour="blue")
    assert not ledger.hear(percept_of(item), colour="blue")
    assert ledger.due(now=0.6).forward_again == ()


def test_an_answer_without_a_decision_is_tier_ones_and_names_what_is_down() -> None:
    ledger = Ledger()
    item = stimulus(deadline_ms=1000)
    ledger.admit(item, colour="blue", now=0.0)
    ledger.hear(percept_of(item), colour="blue")
    (answer,) = ledger.due(now=1.0, absent={"blue": ("workspace",)}).answers
    assert answer.status is Status.DEGRADED
    assert (answer.act.kind, answer.act.label) == ("report", "seven")
    assert "workspace down" in answer.reason
    assert answer.causation_id == percept_of(item).id


def test_an_answer_without_a_percept_is_failed() -> None:
    ledger = Ledger()
    ledger.admit(stimulus(deadline_ms=1000), colour="blue", now=0.0)
    (answer,) = ledger.due(now=1.0).answers
    assert answer.status is Status.FAILED
    assert "1000 ms" in answer.reason


def test_a_full_ledger_takes_nothing_more_until_something_is_answered() -> None:
    ledger = Ledger(in_flight=1)
    first, second = stimulus(), stimulus()
    assert ledger.admit(first, colour="blue", now=0.0) is Admission.ACCEPTED
    assert ledger.admit(second, colour="blue", now=0.0) is Admission.FULL
    assert ledger.settle(decision_of(first), now=0.1)
    assert ledger.admit(second, colour="blue", now=0.1) is Admission.ACCEPTED


def test_an_id_that_was_used_for_something_else_is_told_apart_in_flight_and_answered() -> None:
    ledger = Ledger()
    item = stimulus()

    def again(digest: bytes | None) -> Admission:
        return ledger.admit(item, colour="blue", now=0.0, digest=digest)

    assert again(b"first") is Admission.ACCEPTED
    assert [again(b"first"), again(b"other"), again(None)] == [
        Admission.PENDING,
        Admission.DIFFERENT,
        Admission.PENDING,
    ]
    ledger.settle(decision_of(item), now=0.0)
    assert [again(b"first"), again(b"other"), again(None)] == [
        Admission.ANSWERED,
        Admission.DIFFERENT,
        Admission.ANSWERED,
    ]


def test_answers_are_forgotten_by_number_and_by_age() -> None:
    ledger = Ledger(remembered=2, remember_s=10)
    items = [stimulus() for _ in range(3)]
    for at, item in enumerate(items):
        ledger.admit(item, colour="blue", now=at)
        ledger.settle(decision_of(item), now=at)
    assert ledger.answer(items[0].id, now=3) is None
    assert ledger.answer(items[2].id, now=3) == decision_of(items[2])
    assert ledger.answer(items[2].id, now=12.5) is None
