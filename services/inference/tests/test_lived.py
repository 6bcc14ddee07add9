"""What a mind holds of its experiences, for a memory that did not hear of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from emily_contracts import Broadcast, Episode, LivedRequest, Modulation, StoreRequest, uuid7
from emily_contracts.topics import EXPERIENCE, LIVED
from emily_inference import experience
from emily_inference.service import Inference
from emily_inference.state import InferenceState, merged
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
STRAINED = Modulation(arousal=1.0, caution=1.0)


def lived(number: int, subject: str = "s") -> StoreRequest:
    at = BEGINNING + timedelta(seconds=number)
    episode = Episode(
        id=uuid7(at, number.to_bytes(10)), occurred_at=at, content="moment", context={"subject": subject}
    )
    return StoreRequest(id=episode.id, at=at, stimulus_id=episode.id, namespace="mind", episode=episode)


def read(held: Sequence[StoreRequest], after: StoreRequest | None, *, most: int) -> list[StoreRequest]:
    """Everything behind a message, page by page."""
    found: list[StoreRequest] = []
    while True:
        known = None if after is None else after.id
        page = experience.since(held, LivedRequest(after=known), most=most)
        found += page.experiences
        if not page.more:
            return found
        after = found[-1]


@given(count=st.integers(0, 400), at=st.integers(0, 399))
def test_everything_behind_a_message_is_told_once_and_in_order(count: int, at: int) -> None:
    held = [lived(number) for number in range(count)]
    after = held[at] if at < count else None
    assert read(held, after, most=1000) == held[at + 1 if at < count else 0 :]


def test_a_message_that_is_not_known_is_told_everything_and_whether_some_may_be_gone() -> None:
    held = [lived(number) for number in range(3)]
    stranger = LivedRequest(after=lived(9).id)
    assert experience.since(held, stranger, most=4).experiences == tuple(held)
    assert not experience.since(held, stranger, most=4).cut
    assert experience.since(held, stranger, most=3).cut
    assert not experience.since(held, LivedRequest(after=held[0].id), most=3).cut


def test_what_is_said_is_held_and_the_oldest_makes_room(
    inference: Inference, show: Callable[..., Broadcast]
) -> None:
    settings = replace(inference.settings, experiences=3)
    mind = Inference(settings)
    state, said = mind.initial(), []
    for event in strain(show):
        state, emissions = mind.step(state, event)
        said += [each.message for each in emissions if each.topic is EXPERIENCE]
    assert len(said) > 3
    assert list(state.lived) == said[-3:]
    assert mind.answers()[LIVED](state, LivedRequest(after=said[-2].id)).experiences == (said[-1],)


def test_experiences_go_with_the_subjects_that_move_and_those_of_a_shadow_are_let_go(
    inference: Inference,
) -> None:
    vision = inference.initial().vision
    shadow = InferenceState(vision=vision, lived=(lived(0, "moves"), lived(1, "stays")))
    active = InferenceState(vision=vision, lived=(lived(2, "moves"), lived(3, "stays"), lived(4, "moves")))
    together = merged(shadow, active, "moves".__eq__, subjects=9, answers=9)
    assert together.lived == (lived(2, "moves"), lived(4, "moves"))


def strain(show: Callable[..., Broadcast]) -> list[Broadcast]:
    """A host that is well, and then is not."""
    return [
        show(("load", None, (value,)), modality="interoception", subject="host", modulation=modulation)
        for value, modulation in [(0.2, Modulation())] * 5 + [(0.99, STRAINED)] * 20
    ]
