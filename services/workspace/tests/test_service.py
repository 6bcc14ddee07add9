"""What wins becomes conscious; what loses is told why; nothing else of a percept is lost."""

from collections.abc import Callable

import pytest
from emily_contracts import Broadcast, GatedSignal, Outcome, Percept, successor_id
from emily_contracts.topics import BROADCAST
from emily_runtime.checkpoint import decode_state, encode_state
from emily_workspace.service import Workspace
from emily_workspace.settings import WorkspaceSettings
from emily_workspace.state import Streams
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

type Feel = Callable[..., Percept]

laws = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
saliences = st.lists(st.floats(0, 3), max_size=6)


@pytest.fixture
def mind() -> Workspace:
    return Workspace(WorkspaceSettings())


def live(mind: Workspace, state: Streams, events: list[Percept]) -> tuple[Streams, list[Broadcast]]:
    said = []
    for event in events:
        state, ((topic, message),) = mind.step(state, event)
        assert topic is BROADCAST
        assert isinstance(message, Broadcast)
        said.append(message)
    return state, said


def signal(channel: str, salience: float, place: int | None = 3, grey: float = 8.0) -> GatedSignal:
    return GatedSignal(channel=channel, values=(grey,), place=place, salience=salience, latency_ms=0.0)


def channels(broadcast: Broadcast) -> list[str]:
    return [content.channel for content in broadcast.contents]


def reasons(broadcast: Broadcast) -> dict[str, str]:
    return {candidate.channel: candidate.reason for candidate in broadcast.suppressed}


def looks(feel: Feel, count: int) -> list[Percept]:
    """Looks of two subjects with flashes that are sometimes stronger than the fovea."""
    return [
        feel(
            signal("fovea", 0.92, place=index % 64, grey=float(index % 5)),
            signal("flash-0", 0.3 * (index % 5), place=63 - index % 64),
            subject=("ann", "bob")[index % 2],
            episode=f"e{index // 8}",
        )
        for index in range(count)
    ]


def test_everything_else_of_a_percept_is_passed_on(mind: Workspace, feel: Feel) -> None:
    percept = feel(signal("fovea", 1.0))
    _, (broadcast,) = live(mind, mind.initial(), [percept])
    assert broadcast.id == successor_id(percept.id, "broadcast")
    assert (broadcast.stimulus_id, broadcast.causation_id) == (percept.stimulus_id, percept.id)
    for name in ("at", "modality", "subject", "episode", "modulation", "label", "novelty", "reflex", "text"):
        assert getattr(broadcast, name) == getattr(percept, name)


def test_the_fovea_ignites_and_a_weaker_flash_is_held_down_by_it(mind: Workspace, feel: Feel) -> None:
    _, (broadcast,) = live(mind, mind.initial(), [feel(signal("flash-0", 0.7), signal("fovea", 0.92))])
    assert channels(broadcast) == ["fovea"]
    assert reasons(broadcast) == {"flash-0": "inhibited by fovea"}
    assert broadcast.contents[0].activation > 0.5 > broadcast.suppressed[0].activation


def test_a_flash_that_is_much_stronger_takes_the_workspace(mind: Workspace, feel: Feel) -> None:
    _, (broadcast,) = live(mind, mind.initial(), [feel(signal("fovea", 0.92), signal("flash-0", 2.0))])
    assert channels(broadcast) == ["flash-0"]
    assert reasons(broadcast) == {"fovea": "inhibited by flash-0"}


def test_what_is_too_weak_stays_below_the_threshold_of_the_body(mind: Workspace, feel: Feel) -> None:
    calm, tense = feel(signal("fovea", 0.6)), feel(signal("fovea", 0.6), threshold=0.7)
    assert channels(live(mind, mind.initial(), [calm])[1][0]) == ["fovea"]
    _, (broadcast,) = live(mind, mind.initial(), [tense])
    assert reasons(broadcast) == {"fovea": "below the ignition threshold"}


def test_the_same_thing_again_and_again_is_no_longer_news(mind: Workspace, feel: Feel) -> None:
    again = [feel(signal("fovea", 0.6), after_s=0.6) for _ in range(20)]
    said = live(mind, mind.initial(), again)[1]
    assert channels(said[0]) == ["fovea"]
    assert reasons(said[-1]) == {"fovea": "habituated"}
    elsewhere = feel(signal("fovea", 0.6, place=9))
    state, _ = live(mind, mind.initial(), again)
    assert channels(live(mind, state, [elsewhere])[1][0]) == ["fovea"]


def test_after_one_thing_another_is_blinked_for_a_while(mind: Workspace, feel: Feel) -> None:
    state, _ = live(mind, mind.initial(), [feel(signal("fovea", 0.6))])
    _, (soon,) = live(mind, state, [feel(signal("flash-0", 0.8), after_s=0.25)])
    assert reasons(soon) == {"flash-0": "in the attentional blink after fovea"}
    _, (later,) = live(mind, state, [feel(signal("flash-0", 0.8), after_s=1.0)])
    assert channels(later) == ["flash-0"]


def test_what_has_no_place_becomes_conscious_together(mind: Workspace, feel: Feel) -> None:
    body = [signal("load", 0.6, place=None), signal("disk", 0.2, place=None)]
    _, (broadcast,) = live(mind, mind.initial(), [feel(*body, modality="interoception")])
    assert set(channels(broadcast)) == {"load", "disk"}


def test_one_subject_does_not_blind_another(mind: Workspace, feel: Feel) -> None:
    state, _ = live(mind, mind.initial(), [feel(signal("flash-0", 2.0), subject="bob")])
    percept = feel(signal("fovea", 0.6), subject="ann", after_s=0.25)
    beside, (broadcast,) = live(mind, state, [percept])
    assert channels(broadcast) == ["fovea"]
    alone, (same,) = live(mind, mind.initial(), [percept])
    assert broadcast == same
    assert beside.competition("ann") == alone.competition("ann")


@laws
@given(saliences=saliences, arousal=st.floats(0, 1), threshold=st.floats(0.05, 2))
def test_each_signal_has_exactly_one_fate_and_the_strongest_comes_first(
    mind: Workspace, feel: Feel, saliences: list[float], arousal: float, threshold: float
) -> None:
    signals = [signal(f"channel-{index}", salience, place=index) for index, salience in enumerate(saliences)]
    _, (broadcast,) = live(mind, mind.initial(), [feel(*signals, arousal=arousal, threshold=threshold)])
    fates = channels(broadcast) + list(reasons(broadcast))
    assert sorted(fates) == sorted(each.channel for each in signals)
    strengths = [content.activation for content in broadcast.contents]
    assert strengths == sorted(strengths, reverse=True)
    assert all(reasons(broadcast).values())


def test_a_full_workspace_has_room_for_no_more_than_its_capacity(feel: Feel) -> None:
    small = Workspace(WorkspaceSettings(capacity=5))
    state, sizes = small.initial(), []
    for index in range(12):
        percept = feel(signal(f"channel-{index}", 6.0, place=index), after_s=0.01)
        state, _ = live(small, state, [percept])
        sizes.append(len(state.competition("ann").held))
    assert max(sizes) == 5


def test_an_outcome_is_passed_on_without_a_contest(mind: Workspace, feel: Feel) -> None:
    cause = feel(signal("fovea", 1.0))
    outcome = Outcome(
        id=successor_id(cause.id, "outcome"),
        at=cause.at,
        stimulus_id=cause.stimulus_id,
        modality="vision",
        subject="ann",
        episode="first",
        decision_id=cause.id,
        reward=1.0,
    )
    _, (broadcast,) = live(mind, mind.initial(), [feel(outcome=outcome)])
    assert broadcast.outcome == outcome
    assert broadcast.reward_prediction_error == 0.7
    assert broadcast.contents == ()
    assert broadcast.suppressed == ()


def test_without_the_workspace_everything_becomes_conscious(feel: Feel) -> None:
    percept = feel(signal("fovea", 0.92), signal("flash-0", 0.1), signal("flash-1", 2.0))
    without = Workspace(WorkspaceSettings(workspace=False))
    _, (broadcast,) = live(without, without.initial(), [percept])
    assert channels(broadcast) == ["fovea", "flash-0", "flash-1"]
    assert [content.activation for content in broadcast.contents] == [0.92, 0.1, 1.0]
    assert broadcast.suppressed == ()


def encode(state: Streams) -> bytes:
    return encode_state(state, name="workspace", version=Workspace.state_version)


def test_the_same_percepts_give_the_same_broadcasts_bit_for_bit(mind: Workspace, feel: Feel) -> None:
    events = looks(feel, 40)
    other = Workspace(WorkspaceSettings())
    state_a, said_a = live(mind, mind.initial(), events)
    state_b, said_b = live(other, other.initial(), events)
    assert said_a == said_b
    assert encode(state_a) == encode(state_b)


@laws
@given(cut=st.integers(0, 40))
def test_a_restored_mind_goes_on_as_if_nothing_had_happened(mind: Workspace, feel: Feel, cut: int) -> None:
    events = looks(feel, 40)
    middle, _ = live(mind, mind.initial(), events[:cut])
    restored = decode_state(encode(middle), Streams, name="workspace", version=Workspace.state_version)
    state_a, said_a = live(mind, middle, events[cut:])
    state_b, said_b = live(Workspace(WorkspaceSettings()), restored, events[cut:])
    assert said_a == said_b
    assert encode(state_a) == encode(state_b)


def test_what_is_worth_a_gauge_is_read_off_the_state(mind: Workspace, feel: Feel) -> None:
    state, _ = live(mind, mind.initial(), looks(feel, 4))
    gauges = mind.observe(state)
    assert set(gauges) == set(Workspace.gauges)
    assert gauges["emily_workspace_remembered"]["subjects"] == 2.0
    assert gauges["emily_workspace_remembered"]["coalitions"] >= 2.0
