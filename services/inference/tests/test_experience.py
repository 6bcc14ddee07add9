from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emily_contracts import Broadcast, Decision, Modulation, Outcome, StoreRequest, successor_id
from emily_contracts.topics import EXPERIENCE
from emily_inference.experience import NAMESPACE
from emily_inference.service import Inference

FIRST_LOOK = ("fovea", 0, (8.0,))


def test_a_judged_decision_is_remembered_with_its_verdict_and_feeling(
    inference: Inference, show: Callable[..., Broadcast]
) -> None:
    asked = show(FIRST_LOOK)
    decided, verdict = judged(inference, show, asked, reward=-1.0, label="7", error=-0.6)
    (request,) = lived(inference, asked, verdict)
    episode = request.episode
    assert request.namespace == NAMESPACE
    assert request.causation_id == decided.id
    assert episode.content == f"vision: {decided.act.kind} was wrong. It was 7. {decided.reason}"
    assert (episode.context["verdict"], episode.context["truth"]) == ("wrong", "7")
    assert (episode.valence, episode.arousal, episode.session) == (-1.0, 0.7, "first")
    assert episode.importance == 0.8


def test_the_further_from_what_was_expected_the_more_important(
    inference: Inference, show: Callable[..., Broadcast]
) -> None:
    def importance(error: float) -> float:
        asked = show(FIRST_LOOK)
        _, verdict = judged(inference, show, asked, reward=1.0, label="1", error=error)
        (request,) = lived(inference, asked, verdict)
        return request.episode.importance

    assert importance(0.0) < importance(-0.3) < importance(0.7) < importance(5.0) == 1.0


def test_a_look_is_no_memory_but_calling_a_person_is(
    inference: Inference, show: Callable[..., Broadcast]
) -> None:
    assert lived(inference, show(FIRST_LOOK)) == []
    calm = Modulation()
    strained = Modulation(arousal=1.0, caution=1.0)
    felt = [
        show(("load", None, (value,)), modality="interoception", subject="host", modulation=modulation)
        for value, modulation in [(0.2, calm)] * 5 + [(0.99, strained)] * 20
    ]
    told = lived(inference, *felt)
    assert {request.episode.context["act"] for request in told} <= {"throttle", "alert"}
    assert told[0].episode.kind == "decision"


def test_living_through_it_again_names_the_same_episode(
    inference: Inference, show: Callable[..., Broadcast]
) -> None:
    asked = show(FIRST_LOOK)
    _, verdict = judged(inference, show, asked, reward=1.0, label="1")
    assert lived(inference, asked, verdict) == lived(inference, asked, verdict)


def test_an_outcome_of_something_that_was_never_decided_is_no_memory(
    inference: Inference, tell: Callable[..., Broadcast]
) -> None:
    assert lived(inference, tell("1")) == []


def judged(
    inference: Inference,
    show: Callable[..., Broadcast],
    asked: Broadcast,
    *,
    reward: float,
    label: str,
    error: float = 0.0,
) -> tuple[Decision, Broadcast]:
    """What was decided, and the broadcast of its outcome."""
    _, (emission, *_) = inference.step(inference.initial(), asked)
    decided: Any = emission.message
    outcome = Outcome(
        id=successor_id(decided.id, "outcome"),
        at=decided.at,
        stimulus_id=asked.stimulus_id,
        modality=asked.modality,
        subject=asked.subject,
        episode=asked.episode,
        decision_id=decided.id,
        reward=reward,
        label=label,
    )
    return decided, show(
        outcome=outcome, stimulus=asked.stimulus_id, error=error, modulation=Modulation(arousal=0.7)
    )


def lived(inference: Inference, *events: Broadcast) -> list[StoreRequest]:
    """What is worth a memory, of one life after another."""
    state = inference.initial()
    requests: list[StoreRequest] = []
    for event in events:
        state, emissions = inference.step(state, event)
        for emission in emissions:
            if emission.topic is EXPERIENCE:
                assert isinstance(emission.message, StoreRequest)
                requests.append(emission.message)
    return requests
