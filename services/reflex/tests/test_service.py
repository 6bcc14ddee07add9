"""Reflex answers everything it senses at once, the same way every time, and its body lives on."""

from collections.abc import Callable

import pytest
from emily_contracts import (
    AttentionRequest,
    BodyState,
    Message,
    Outcome,
    Percept,
    Signal,
    Stimulus,
)
from emily_contracts.topics import ATTEND, BODY, PERCEPT
from emily_instinct.allostasis import levels
from emily_reflex.service import Reflex
from emily_reflex.state import ReflexState
from emily_runtime import Refused
from emily_runtime.checkpoint import decode_state, encode_state
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

type Sense = Callable[..., Stimulus]
type Reward = Callable[..., Outcome]
type Born = Callable[..., Reflex]

laws = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)


def live(
    mind: Reflex, state: ReflexState, events: list[Stimulus | Outcome]
) -> tuple[ReflexState, list[Message]]:
    said: list[Message] = []
    for event in events:
        state, emissions = mind.step(state, event)
        said += [message for _, message in emissions]
    return state, said


def percepts(said: list[Message]) -> list[Percept]:
    return [message for message in said if isinstance(message, Percept)]


def bodies(said: list[Message]) -> list[BodyState]:
    return [message for message in said if isinstance(message, BodyState)]


def look(place: int, grey: float = 8.0, flash: float | None = None) -> list[Signal]:
    fovea = [Signal(channel="fovea", place=place, values=(grey,))]
    if flash is None:
        return fovea
    return [Signal(channel="flash-0", place=63 - place, values=(1.0,), intensity=flash), *fovea]


def host(**shares: float) -> list[Signal]:
    return [Signal(channel=channel, values=(share,)) for channel, share in shares.items()]


def a_life(sense: Sense, reward: Reward) -> list[Stimulus | Outcome]:
    """Looks of two subjects, words, rewards and a host that comes under strain."""
    events: list[Stimulus | Outcome] = []
    for round_number in range(6):
        for place in (3, 30, 50):
            grey = float((place * 7 + round_number) % 17)
            subject = ("ann", "bob")[round_number % 2]
            signals = look(place, grey, flash=1.5)
            events.append(sense(*signals, subject=subject, episode=f"e{round_number}", attended="fovea"))
        events.append(reward(1.0 if round_number % 3 else -1.0))
        events.append(sense(*host(load=0.2 * round_number, disk=0.9), modality="interoception", subject="h"))
    events.append(sense(*look(9), text="hello"))
    return events


def test_a_stimulus_becomes_a_percept_and_a_body_that_name_their_cause(born: Born, sense: Sense) -> None:
    stimulus = sense(*look(3), text="look here")
    mind = born()
    _, emissions = mind.step(mind.initial(), stimulus)
    assert [topic for topic, _ in emissions] == [PERCEPT, BODY]
    for _, message in emissions:
        assert (message.stimulus_id, message.causation_id, message.at) == (
            stimulus.id,
            stimulus.id,
            stimulus.at,
        )
    percept = emissions[0].message
    assert isinstance(percept, Percept)
    assert percept.text == "look here"
    assert percept.novelty == 1 - percept.similarity


def test_the_same_events_give_the_same_messages_bit_for_bit(born: Born, sense: Sense, reward: Reward) -> None:
    events = a_life(sense, reward)
    one, two = born(), born()
    state_one, said_one = live(one, one.initial(), events)
    state_two, said_two = live(two, two.initial(), events)
    assert said_one == said_two
    assert encode(state_one) == encode(state_two)


def encode(state: ReflexState) -> bytes:
    return encode_state(state, name="reflex", version=Reflex.state_version)


@laws
@given(cut=st.integers(0, 30))
def test_a_restored_mind_goes_on_as_if_nothing_had_happened(
    born: Born, sense: Sense, reward: Reward, cut: int
) -> None:
    events = a_life(sense, reward)
    mind = born()
    middle, _ = live(mind, mind.initial(), events[:cut])
    restored = decode_state(encode(middle), ReflexState, name="reflex", version=Reflex.state_version)
    state_a, said_a = live(mind, middle, events[cut:])
    state_b, said_b = live(born(), restored, events[cut:])
    assert said_a == said_b
    assert encode(state_a) == encode(state_b)


@laws
@given(
    rewards=st.lists(st.floats(-1e6, 1e6), max_size=20),
    shares=st.lists(st.floats(0, 1e6), max_size=20),
    pauses=st.lists(st.floats(0, 1e5), min_size=1, max_size=20),
)
def test_the_body_never_leaves_its_bounds(
    born: Born,
    sense: Sense,
    reward: Reward,
    rewards: list[float],
    shares: list[float],
    pauses: list[float],
) -> None:
    mind = born()
    events: list[Stimulus | Outcome] = [reward(value) for value in rewards]
    events += [sense(*host(load=share), modality="interoception") for share in shares]
    events += [sense(*look(3), after_s=pause) for pause in pauses]
    for body in bodies(live(mind, mind.initial(), events)[1]):
        every = [getattr(body.levels, name) for name in body.levels.__struct_fields__]
        assert all(0 <= level <= 1 for level in every)
        assert body.allostatic_load >= 0
        assert 0 <= body.modulation.caution <= 1
        assert body.modulation.precision > 0


def test_an_unexpected_reward_lifts_dopamine_and_an_expected_one_does_not(
    born: Born, sense: Sense, reward: Reward
) -> None:
    mind = born()
    state, first = live(mind, mind.initial(), [reward(1.0)])
    assert percepts(first)[0].reward_prediction_error == 1.0
    assert bodies(first)[0].levels.dopamine > bodies(first)[0].set_points.dopamine
    state, many = live(mind, state, [reward(1.0) for _ in range(60)])
    assert percepts(many)[-1].reward_prediction_error < 0.01
    assert percepts(many)[-1].outcome is not None
    _, disappointed = live(mind, state, [sense(*look(3), after_s=60), reward(-1.0)])
    assert bodies(disappointed)[-1].levels.dopamine < bodies(disappointed)[0].levels.dopamine


def test_being_wrong_often_makes_cautious_and_being_right_relaxes(born: Born, reward: Reward) -> None:
    mind = born()
    state, wrong = live(mind, mind.initial(), [reward(-1.0) for _ in range(200)])
    _, right = live(mind, state, [reward(1.0) for _ in range(1000)])
    assert bodies(wrong)[-1].modulation.caution > 0.1
    assert bodies(right)[-1].modulation.caution < bodies(wrong)[-1].modulation.caution / 2


def test_words_are_company(born: Born, sense: Sense) -> None:
    mind = born()
    _, said = live(mind, mind.initial(), [sense(*look(3), text="hello"), sense(*look(3), after_s=5)])
    assert bodies(said)[-1].levels.oxytocin > bodies(said)[-1].set_points.oxytocin


def test_a_sudden_load_startles_into_an_alert_and_calm_passes(born: Born, sense: Sense) -> None:
    mind = born()
    calm = [sense(*host(load=0.1), modality="interoception", after_s=1) for _ in range(10)]
    state, before = live(mind, mind.initial(), list(calm))
    assert {percept.reflex for percept in percepts(before)} == {None}
    state, startled = live(mind, state, [sense(*host(load=0.9), modality="interoception")])
    assert percepts(startled)[0].reflex == "alert"
    relief = [sense(*host(load=0.1), modality="interoception", after_s=1) for _ in range(5)]
    _, later = live(mind, state, list(relief))
    assert percepts(later)[-1].reflex is None


def test_a_host_at_its_limit_wears_the_body_down_to_an_alert(born: Born, sense: Sense) -> None:
    mind = born(startle=0.7)
    full = [sense(*host(disk=1.0), modality="interoception", after_s=1) for _ in range(60)]
    said = percepts(live(mind, mind.initial(), list(full))[1])
    assert said[0].reflex is None
    assert said[-1].reflex == "alert"


def test_vision_never_acts_by_itself(born: Born, sense: Sense, reward: Reward) -> None:
    mind = born(startle=0.0)
    said = percepts(live(mind, mind.initial(), [sense(*look(3))])[1])
    assert said[0].reflex is None


def test_of_all_threats_the_body_is_under_the_greatest(born: Born, sense: Sense, reward: Reward) -> None:
    mind = born()
    full = sense(*host(disk=1.0), modality="interoception")
    state, _ = live(mind, mind.initial(), [full, *(reward(1.0) for _ in range(50))])
    assert state.body.drives.cortisol == 1.0
    relieved = sense(*host(disk=0.1), modality="interoception")
    state, _ = live(mind, state, [relieved])
    assert 0 < state.body.drives.cortisol < 0.01


def test_without_alpha_signals_pass_ungated_and_in_the_order_given(born: Born, sense: Sense) -> None:
    stimulus = sense(*look(3, flash=0.9), attended="fovea")
    with_gate, without = (born(alpha=alpha) for alpha in (True, False))
    gated = percepts(live(with_gate, with_gate.initial(), [stimulus])[1])[0].signals
    passed = percepts(live(without, without.initial(), [stimulus])[1])[0].signals
    assert [signal.salience for signal in passed] == [0.9, 1.0]
    assert {signal.channel: signal.salience for signal in gated}["flash-0"] < 0.5


def test_without_allostasis_the_body_stays_at_its_set_points(
    born: Born, sense: Sense, reward: Reward
) -> None:
    events = a_life(sense, reward)
    mind = born(allostasis=False)
    said = live(mind, mind.initial(), events)[1]
    for body in bodies(said):
        assert body.levels == body.set_points
        assert (body.modulation.precision, body.modulation.gain, body.modulation.caution) == (1.0, 1.0, 0.0)
        assert body.allostatic_load == 0.0
    moving = born()
    assert bodies(live(moving, moving.initial(), events)[1]) != bodies(said)


def test_an_unknown_sense_is_refused_naming_the_known_ones(born: Born, sense: Sense, reward: Reward) -> None:
    mind = born()
    for event in (sense(*look(3), modality="smell"), reward(1.0, modality="smell")):
        with pytest.raises(Refused, match=r"modality: 'smell' .* vision or interoception"):
            mind.step(mind.initial(), event)


def test_an_event_that_comes_late_is_felt_now(born: Born, sense: Sense) -> None:
    mind = born()
    early, late = sense(*look(3)), sense(*look(9), after_s=5)
    state, said = live(mind, mind.initial(), [late, early])
    assert state.body.at == late.at.timestamp()
    assert percepts(said)[1].at == early.at


def test_attention_can_be_asked_for_directly(born: Born, sense: Sense) -> None:
    mind = born()
    state, _ = live(mind, mind.initial(), [sense(*look(3))])
    attend = mind.answers()[ATTEND]
    peak, trough = (
        attend(state, AttentionRequest(drives=(0.2, 1.0), phase=phase)) for phase in (0.0, 3.14159)
    )
    assert peak.emitted == (1, 0)
    assert peak.latency_ms[0] < peak.latency_ms[1]
    assert all(held < free for held, free in zip(peak.gated, trough.gated, strict=True))
    own = attend(state, AttentionRequest(drives=(1.0,)))
    assert own.phase == pytest.approx(state.oscillator.phase(state.body.at))
    assert own.frequency == state.oscillator.frequency


def test_what_is_worth_a_gauge_is_read_off_the_state(born: Born, sense: Sense, reward: Reward) -> None:
    mind = born()
    state, _ = live(mind, mind.initial(), a_life(sense, reward))
    gauges = mind.observe(state)
    assert set(gauges) == set(Reflex.gauges)
    assert gauges["emily_reflex_subjects"] == {"vision": 2.0, "interoception": 1.0}
    assert gauges["allostatic_neurotransmitter_levels"]["cortisol"] == levels(state.body).cortisol
