"""The host is felt channel by channel, loudly when something changes, and can be read less often."""

from datetime import UTC, datetime

import pytest
from emily_contracts import Act, Action, Decision, Status, Stimulus, successor_id
from emily_world.host import SLOWEST, HostState, act, host_name, read_host, sense
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 1, tzinfo=UTC)
readings = st.dictionaries(st.sampled_from(["load", "memory", "disk"]), st.floats(0, 8), min_size=1)


def felt(state: HostState, readings: dict[str, float]) -> tuple[HostState, Stimulus]:
    state, ((_, stimulus),) = sense(state, readings, subject="host", at=NOW, randomness=bytes(10))
    assert isinstance(stimulus, Stimulus)
    return state, stimulus


def decided(kind: str, reason: str = "") -> Decision:
    _, stimulus = felt(HostState(), {"load": 0.5})
    return Decision(
        id=successor_id(stimulus.id, "decision"),
        at=stimulus.at,
        stimulus_id=stimulus.id,
        modality=stimulus.modality,
        subject=stimulus.subject,
        episode=stimulus.episode,
        status=Status.DECIDED,
        act=Act(kind=kind),
        reason=reason,
    )


def test_the_real_host_is_felt() -> None:
    real = read_host()
    assert {"load", "memory", "disk"} <= set(real)
    assert all(reading >= 0 for reading in real.values())
    _, stimulus = felt(HostState(), real)
    assert {signal.channel: signal.values[0] for signal in stimulus.signals} == real
    assert host_name()


@given(readings=readings)
def test_what_stays_as_it_is_knocks_only_as_loud_as_it_is_high(readings: dict[str, float]) -> None:
    state, _ = felt(HostState(), readings)
    _, stimulus = felt(state, readings)
    for signal in stimulus.signals:
        assert signal.intensity == pytest.approx(signal.values[0])


@given(usual=st.floats(0, 1), jump=st.floats(0.05, 4))
def test_a_jump_knocks_louder_than_its_level_and_fades_as_it_becomes_usual(usual: float, jump: float) -> None:
    state, _ = felt(HostState(), {"load": usual})
    loudness = []
    for _ in range(50):
        state, stimulus = felt(state, {"load": usual + jump})
        loudness.append(stimulus.signals[0].intensity)
    assert loudness[0] > usual + jump
    assert loudness == sorted(loudness, reverse=True)


def test_throttling_halves_the_rate_down_to_a_bound_and_observing_restores_it() -> None:
    state, slowness = HostState(), []
    for _ in range(6):
        state, _ = act(state, decided("throttle"))
        slowness.append(state.slowness)
    assert slowness == [2, 4, 8, 16, SLOWEST, SLOWEST]
    state, ((_, action),) = act(state, decided("observe"))
    assert state.slowness == 1
    assert isinstance(action, Action)
    assert action.done


def test_an_alert_passes_on_why() -> None:
    _, ((_, action),) = act(HostState(), decided("alert", reason="the disk is full"))
    assert isinstance(action, Action)
    assert (action.done, action.detail) == (True, "the disk is full")


def test_what_a_host_cannot_do_is_said() -> None:
    before = HostState(slowness=4)
    after, ((_, action),) = act(before, decided("look"))
    assert isinstance(action, Action)
    assert not action.done
    assert "look" in action.detail
    assert after == before
