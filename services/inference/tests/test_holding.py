"""What a mind holds of its experiences until memory has them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from emily_contracts import Broadcast, Episode, LivedRequest, Modulation, Role, Standing, StoreRequest, uuid7
from emily_contracts.topics import LIVED
from emily_inference.holding import PAGE, Held, put_together, told, with_one
from emily_inference.service import Inference
from emily_inference.state import InferenceState
from emily_inference.vision.knowledge import Knowledge
from emily_runtime.checkpoint import decode_state, encode_state
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
STRAINED = Modulation(arousal=1.0, caution=1.0)
NUMBERS = st.sets(st.integers(0, 99))


def experience(number: int) -> StoreRequest:
    """Of one of three subjects."""
    at = BEGINNING + timedelta(seconds=number)
    episode = Episode(
        id=uuid7(at, number.to_bytes(10)),
        occurred_at=at,
        content="moment",
        context={"subject": f"s{number % 3}"},
    )
    return StoreRequest(id=episode.id, at=at, stimulus_id=episode.id, namespace="mind", episode=episode)


EXPERIENCES = [experience(number) for number in range(100)]


def held(numbers: set[int]) -> Held:
    return Held(experiences=tuple(EXPERIENCES[number] for number in sorted(numbers)))


def numbers(held: Held) -> list[int]:
    return [EXPERIENCES.index(each) for each in held.experiences]


def request(numbers: set[int]) -> LivedRequest:
    return LivedRequest(kept=tuple(EXPERIENCES[number].id for number in numbers))


@given(count=st.integers(0, 100), most=st.integers(1, 100))
def test_nothing_is_given_up_before_the_bound_and_beyond_it_the_oldest_are_counted(
    count: int, most: int
) -> None:
    holds = Held()
    for each in EXPERIENCES[:count]:
        holds = with_one(holds, each, most=most)
    assert numbers(holds) == list(range(max(0, count - most), count))
    assert holds.given_up == max(0, count - most)


@given(holds=NUMBERS, kept=NUMBERS)
def test_just_what_is_kept_is_let_go_and_saying_so_again_does_no_harm(
    holds: set[int], kept: set[int]
) -> None:
    once, _ = told(held(holds), request(kept))
    assert numbers(once) == sorted(holds - kept)
    assert once.given_up == 0
    assert told(once, request(kept))[0] == once


@given(holds=NUMBERS, later=NUMBERS)
def test_what_came_between_the_answer_and_the_acknowledgement_stays(holds: set[int], later: set[int]) -> None:
    _, lived = told(held(holds), LivedRequest())
    left, _ = told(held(holds | later), LivedRequest(kept=tuple(each.id for each in lived.experiences)))
    assert numbers(left) == sorted(later - holds)


def test_everything_is_told_page_by_page_once_and_in_order() -> None:
    everything = tuple(experience(number) for number in range(2 * PAGE + 1))
    holds, heard, kept = Held(experiences=everything), list[StoreRequest](), LivedRequest()
    while True:
        holds, page = told(holds, kept)
        if not page.experiences:
            break
        assert len(page.experiences) <= PAGE
        heard += page.experiences
        kept = LivedRequest(kept=tuple(each.id for each in page.experiences))
    assert tuple(heard) == everything


@given(own=NUMBERS, other=NUMBERS, moves=st.sets(st.integers(0, 2)))
def test_experiences_go_with_the_subjects_that_move_and_the_others_stay(
    own: set[int], other: set[int], moves: set[int]
) -> None:
    moving = {f"s{number}" for number in moves}.__contains__
    together = put_together(held(own), held(other), moving, most=100)
    stays, comes = {n for n in own if n % 3 not in moves}, {n for n in other if n % 3 in moves}
    assert numbers(together) == sorted(stays | comes)
    assert put_together(together, held(other), moving, most=100) == together
    bounded = put_together(held(own), held(other), moving, most=5)
    assert numbers(bounded) == numbers(together)[-5:]
    assert bounded.given_up == len(together.experiences) - len(bounded.experiences)


def test_what_is_said_is_held_until_memory_has_it(
    inference: Inference, show: Callable[..., Broadcast]
) -> None:
    state, said = lived(inference, inference.initial(), strain(show))
    assert len(said) > 3
    assert list(state.held.experiences) == said
    exchange = inference.exchanges()[LIVED]
    state, answer = exchange(state, LivedRequest(kept=tuple(each.id for each in said[:-1])))
    assert answer.experiences == state.held.experiences == (said[-1],)
    gauge = inference.observe(state)["emily_inference_experiences"]
    assert gauge == {"held": 1, "given_up": 0}


def test_a_shadow_holds_nothing_and_goes_on_to_hold_when_it_is_none_any_more(
    inference: Inference, show: Callable[..., Broadcast]
) -> None:
    shadow, _ = inference.step(inference.initial(), standing(Role.SHADOW))
    shadow, said = lived(inference, shadow, strain(show))
    assert said
    assert shadow.held == Held()
    canary, _ = inference.step(shadow, standing(Role.CANARY))
    canary, said = lived(inference, canary, strain(show))
    assert list(canary.held.experiences) == said


@pytest.mark.parametrize("shadow", [True, False])
def test_whether_a_mind_is_a_shadow_does_not_move(inference: Inference, *, shadow: bool) -> None:
    own = replace(inference.initial(), shadow=shadow)
    other = replace(inference.initial(), shadow=not shadow, held=held({0, 1}))
    assert inference.merged(own, other, lambda _: True).shadow is shadow
    assert inference.succeeding(own, other) == replace(other, shadow=shadow)


def test_a_mind_and_one_from_before_it_held_anything_read_each_others_state(inference: Inference) -> None:
    class Before(msgspec.Struct, frozen=True, kw_only=True):
        vision: Knowledge
        events: int = 0

    version = Inference.state_version
    new = replace(inference.initial(), events=7, held=held({0}), shadow=True)
    old = decode_state(
        encode_state(new, name="inference", version=version), Before, name="inference", version=version
    )
    assert old.events == 7
    again = decode_state(
        encode_state(old, name="inference", version=version),
        InferenceState,
        name="inference",
        version=version,
    )
    assert (again.events, again.held, again.shadow) == (7, Held(), False)


def lived(
    mind: Inference, state: InferenceState, events: list[Broadcast]
) -> tuple[InferenceState, list[StoreRequest]]:
    """What a mind becomes, and the experiences that it says."""
    said: list[StoreRequest] = []
    for event in events:
        state, emissions = mind.step(state, event)
        said += [each.message for each in emissions if isinstance(each.message, StoreRequest)]
    return state, said


def strain(show: Callable[..., Broadcast]) -> list[Broadcast]:
    """A host that is well, and then is not."""
    return [
        show(("load", None, (value,)), modality="interoception", subject="host", modulation=modulation)
        for value, modulation in [(0.2, Modulation())] * 5 + [(0.99, STRAINED)] * 20
    ]


def standing(role: Role) -> Standing:
    identity = uuid7(BEGINNING, bytes(10))
    return Standing(id=identity, at=BEGINNING, stimulus_id=identity, role=role, version=1)
