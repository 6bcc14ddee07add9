from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from emily_contracts import Broadcast, Modulation, Status
from emily_inference import interoception
from emily_inference.interoception import Feeling
from emily_inference.thought import Thought
from emily_runtime import Refused

type Show = Callable[..., Broadcast]


def feel(show: Show, times: int = 3, *, caution: float = 0.0, **shares: float) -> Thought:
    """What is thought after the same readings came several times."""
    feeling: Feeling | None = None
    for event in range(times):
        readings = ((channel, None, (share,)) for channel, share in shares.items())
        broadcast = show(*readings, modality="interoception", modulation=Modulation(caution=caution))
        feeling, thought = interoception.think(feeling, broadcast, seed=0, event=event)
    return thought


@pytest.mark.parametrize(
    ("load", "memory", "condition", "act"),
    [
        (0.1, 0.3, "calm", "observe"),
        (0.6, 0.7, "busy", "observe"),
        (0.85, 0.8, "strained", "throttle"),
        (1.4, 0.97, "failing", "alert"),
    ],
)
def test_the_act_follows_from_the_condition(
    show: Show, load: float, memory: float, condition: str, act: str
) -> None:
    thought = feel(show, load=load, memory=memory)
    likeliest = int(np.argmax(thought.posterior["condition"]))
    assert thought.factors["condition"][likeliest] == condition
    assert thought.act.kind == act
    assert thought.status is Status.DECIDED


def test_the_total_is_risk_and_ambiguity_and_equally_utility_and_information(show: Show) -> None:
    energy = feel(show, load=0.8).expected_free_energy
    assert energy is not None
    assert energy.total == pytest.approx(energy.risk + energy.ambiguity)
    normalisation = energy.total + energy.utility + energy.state_information_gain
    other = feel(show, load=0.2, disk=0.95).expected_free_energy
    assert other is not None
    assert other.total + other.utility + other.state_information_gain == pytest.approx(normalisation)


def test_one_bad_reading_convinces_less_than_several(show: Show) -> None:
    once, often = (feel(show, times, load=0.95).posterior["condition"][3] for times in (1, 4))
    assert once < often


def test_when_nothing_is_conscious_tier_one_acts(show: Show) -> None:
    _, alarmed = interoception.think(None, show(modality="interoception", reflex="alert"), seed=0, event=0)
    assert (alarmed.status, alarmed.act.kind) == (Status.REFLEX, "alert")
    _, calm = interoception.think(None, show(modality="interoception"), seed=0, event=0)
    assert (calm.status, calm.act.kind) == (Status.REFLEX, "observe")


@pytest.mark.parametrize(
    ("content", "field"),
    [(("smell", None, (0.1,)), "contents.channel"), (("load", None, (0.1, 0.2)), r"contents\.load\.values")],
)
def test_a_signal_that_is_not_felt_is_refused_by_name(
    show: Show, content: tuple[str, None, tuple[float, ...]], field: str
) -> None:
    with pytest.raises(Refused, match=field):
        interoception.think(None, show(content, modality="interoception"), seed=0, event=0)
