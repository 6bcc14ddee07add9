from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from emily_contracts import Act, Broadcast, Decision, Modulation, Outcome, Status, StoreRequest, uuid7
from emily_memory.experience import MOST_PENDING, NAMESPACE, Experience

AT = datetime(2026, 1, 1, tzinfo=UTC)


def number(count: int) -> Any:
    return uuid7(AT, count.to_bytes(10))


def decision(kind: str, *, stimulus: int = 1, label: str | None = None, **fields: Any) -> Decision:
    given: dict[str, Any] = {
        "id": number(100 + stimulus),
        "at": AT,
        "stimulus_id": number(stimulus),
        "modality": "vision",
        "subject": "ann",
        "episode": "picture-1",
        "status": Status.DECIDED,
        "act": Act(kind=kind, label=label),
        "reason": "It looks like one.",
    }
    return Decision(**(given | fields))


def broadcast(*, stimulus: int = 1, outcome: Outcome | None = None, error: float = 0.0) -> Broadcast:
    return Broadcast(
        id=number(200 + stimulus),
        at=AT,
        stimulus_id=number(stimulus),
        modality="vision",
        subject="ann",
        episode="picture-1",
        modulation=Modulation(arousal=0.7, caution=0.4),
        outcome=outcome,
        reward_prediction_error=error,
    )


def judged(reward: float, label: str, stimulus: int = 1) -> Outcome:
    return Outcome(
        id=number(300 + stimulus),
        at=AT,
        stimulus_id=number(stimulus),
        modality="vision",
        subject="ann",
        episode="picture-1",
        decision_id=number(100 + stimulus),
        reward=reward,
        label=label,
    )


def told(experience: Experience, *events: Broadcast | Decision) -> list[StoreRequest]:
    return [request for event in events if (request := experience.lived(event)) is not None]


def test_a_judged_decision_is_remembered_with_its_verdict_and_feeling() -> None:
    verdict = broadcast(outcome=judged(-1.0, "7"), error=-0.6)
    (request,) = told(Experience(), broadcast(), decision("report", label="1"), verdict)
    episode = request.episode
    assert request.namespace == NAMESPACE
    assert episode.content == "vision: report 1 was wrong. It was 7. It looks like one."
    assert episode.context["verdict"] == "wrong"
    assert (episode.valence, episode.arousal, episode.session) == (-1.0, 0.7, "picture-1")
    assert episode.importance == 0.8


def test_the_further_from_what_was_expected_the_more_important() -> None:
    def importance(error: float) -> float:
        events = (decision("report", label="1"), broadcast(outcome=judged(1.0, "1"), error=error))
        (request,) = told(Experience(), *events)
        return request.episode.importance

    assert importance(0.0) < importance(-0.3) < importance(0.7) < importance(5.0) == 1.0


def test_a_look_is_no_memory_but_an_alert_is() -> None:
    experience = Experience()
    assert told(experience, broadcast(), decision("look"), decision("observe", stimulus=2)) == []
    (request,) = told(experience, decision("alert", stimulus=3))
    assert request.episode.kind == "decision"


def test_living_through_it_again_names_the_same_episode() -> None:
    events = (decision("report", label="1"), broadcast(outcome=judged(1.0, "1")))
    (first,), (second,) = told(Experience(), *events), told(Experience(), *events)
    assert first.episode == second.episode


def test_what_is_never_judged_does_not_pile_up() -> None:
    experience = Experience()
    told(experience, *(decision("report", stimulus=count, label="1") for count in range(MOST_PENDING + 1)))
    assert told(experience, broadcast(stimulus=0, outcome=judged(1.0, "1", stimulus=0))) == []
    last = MOST_PENDING
    assert len(told(experience, broadcast(stimulus=last, outcome=judged(1.0, "1", stimulus=last)))) == 1
