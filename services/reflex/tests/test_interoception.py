"""The host is felt against what is usual for it, and threatens as it nears its limit."""

from collections.abc import Callable

import pytest
from emily_contracts import Signal, Stimulus
from emily_reflex.interoception import EASE, feel
from emily_reflex.state import Habit
from emily_runtime import Refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

type Sense = Callable[..., Stimulus]

laws = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def readings(**channels: float) -> list[Signal]:
    return [Signal(channel=name, values=(share,)) for name, share in channels.items()]


@laws
@given(load=st.floats(0, 10), memory=st.floats(0, 1))
def test_the_first_feeling_is_what_is_usual(sense: Sense, load: float, memory: float) -> None:
    impression, habit = feel(sense(*readings(load=load, memory=memory)), None, 1)
    assert (impression.surprise, impression.similarity) == (0.0, 1.0)
    assert habit.usual == pytest.approx({"load": load, "memory": memory})


@laws
@given(usual=st.floats(0, 1), now=st.floats(0, 10))
def test_the_further_from_usual_the_greater_the_surprise(sense: Sense, usual: float, now: float) -> None:
    before = Habit(usual={"load": usual})
    impression, after = feel(sense(*readings(load=now)), before, 2)
    assert impression.surprise == pytest.approx(min(1.0, abs(now - usual) / 0.5))
    assert impression.similarity == 1 - impression.surprise
    assert after.usual["load"] == pytest.approx(usual + 0.05 * (now - usual))


@laws
@given(share=st.floats(0, 5))
def test_only_the_last_part_before_the_limit_threatens(sense: Sense, share: float) -> None:
    impression, _ = feel(sense(*readings(disk=share, load=0.0)), None, 1)
    assert impression.threat is not None
    assert (impression.threat > 0) == (share > EASE)
    assert (impression.threat == 1) == (share >= 1)


@pytest.mark.parametrize("values", [(0.5, 0.5), (-0.1,)])
def test_what_is_no_share_is_refused_by_name(sense: Sense, values: tuple[float, ...]) -> None:
    with pytest.raises(Refused, match=r"signals\[1\]\.values"):
        feel(sense(*readings(load=0.1), Signal(channel="disk", values=values)), None, 1)
