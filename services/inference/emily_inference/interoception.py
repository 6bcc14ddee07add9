"""Feeling the host: how strained it is, and whether to watch, to slow down or to call a person."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from emily_cognition.active_inference import Agent, GenerativeModel, Policies
from emily_cognition.active_inference.numerics import softmax
from emily_contracts import Act, Broadcast, ExpectedFreeEnergy, Status
from emily_runtime import Refused
from emily_runtime.subjects import Trace
from numpy.typing import NDArray

from emily_inference.draw import draw
from emily_inference.thought import Thought

CHANNELS = ("load", "memory", "disk", "temperature")
CONDITIONS = ("calm", "busy", "strained", "failing")
ACTS = ("observe", "throttle", "alert")

Array = NDArray[np.float64]

_EDGES = (0.5, 0.75, 0.9)
_A = np.array(
    [
        [0.880, 0.45, 0.40, 0.30],
        [0.100, 0.40, 0.17, 0.10],
        [0.015, 0.12, 0.25, 0.15],
        [0.005, 0.03, 0.18, 0.45],
    ]
)
"""P(level | condition), alike for all channels: (levels, conditions). One channel near its limit is enough
to strain a host, so the others may well be low when it is."""
_B = {
    "observe": np.array(
        [
            [0.90, 0.08, 0.00, 0.00],
            [0.10, 0.82, 0.08, 0.00],
            [0.00, 0.10, 0.82, 0.05],
            [0.00, 0.00, 0.10, 0.95],
        ]
    ),
    "throttle": np.array(
        [
            [0.95, 0.30, 0.00, 0.00],
            [0.05, 0.65, 0.50, 0.00],
            [0.00, 0.05, 0.45, 0.15],
            [0.00, 0.00, 0.05, 0.85],
        ]
    ),
    "alert": np.array(
        [
            [0.90, 0.08, 0.05, 0.05],
            [0.10, 0.82, 0.35, 0.30],
            [0.00, 0.10, 0.55, 0.25],
            [0.00, 0.00, 0.05, 0.40],
        ]
    ),
}
"""P(next condition | condition) under each act: (conditions, conditions)."""
_C = np.array([0.0, -0.05, -0.25, -0.75])
"""Preference for each level of each channel, in nats."""
_D = np.array([0.7, 0.2, 0.08, 0.02])
_COST = np.array([0.0, 0.15, 0.5])
"""What each act costs, in nats: readings that are missed, a person who is disturbed."""
_PRECISION = 32.0

_MODEL = GenerativeModel.create(
    A=[_A] * len(CHANNELS),
    B=[np.stack([_B[act] for act in ACTS], axis=-1)],
    C=[_C] * len(CHANNELS),
    D=[_D],
    E=softmax(-_PRECISION * _COST),
)


class Feeling(Trace, frozen=True, kw_only=True):
    """What is expected of one host.

    Attributes:
        expected: (4,) probabilities of the conditions when the next reading comes.
    """

    expected: tuple[float, ...]


def think(feeling: Feeling | None, broadcast: Broadcast, *, seed: int, event: int) -> tuple[Feeling, Thought]:
    """What is expected of the host after a broadcast, and what to do about it.

    Raises:
        Refused: A conscious signal is of an unknown channel or not one value.
    """
    caution = 1 + broadcast.modulation.caution
    model = replace(_MODEL, C=tuple(caution * preference for preference in _MODEL.C))
    gamma = _PRECISION * broadcast.modulation.precision
    agent = Agent(model=model, policies=Policies.enumerated(model), gamma=gamma)
    prior = model.D if feeling is None else (np.array(feeling.expected),)
    (condition,) = agent.infer_states(_levels(broadcast), prior)
    policies, _ = agent.infer_policies((condition,))
    chosen = int(np.searchsorted(np.cumsum(policies)[:-1], draw(seed, broadcast.stimulus_id), side="right"))
    act = ACTS[chosen]
    conscious = bool(broadcast.contents)
    if not conscious:
        act = broadcast.reflex or "observe"
    likeliest = int(condition.argmax())
    thought = Thought(
        status=Status.DECIDED if conscious else Status.REFLEX,
        act=Act(kind=act),
        reason=f"The host seems {CONDITIONS[likeliest]} ({condition[likeliest]:.0%}): {act}.",
        confidence=float(condition[likeliest]),
        posterior={"condition": tuple(condition.tolist())},
        factors={"condition": CONDITIONS},
        expected_free_energy=_energy(agent, condition, chosen) if conscious else None,
        policies_weighed=len(ACTS) if conscious else 0,
    )
    done = (ACTS.index(act) if act in ACTS else 0,)
    (after,) = agent.update_empirical_prior(done, (condition,))
    return Feeling(expected=tuple(after.tolist()), touched=event), thought


def _levels(broadcast: Broadcast) -> list[int | None]:
    """The level of each channel; none of one that didn't become conscious, which says nothing.

    Raises:
        Refused: A signal is of an unknown channel or not one value.
    """
    levels: dict[str, int] = {}
    for content in broadcast.contents:
        if content.channel not in CHANNELS:
            raise Refused(f"contents.channel: {content.channel!r} is not felt; send {', '.join(CHANNELS)}")
        if len(content.values) != 1:
            raise Refused(f"contents.{content.channel}.values: {len(content.values)} values; send one share")
        levels[content.channel] = int(np.searchsorted(_EDGES, content.values[0], side="right"))
    return [levels.get(channel) for channel in CHANNELS]


def _energy(agent: Agent, condition: Array, policy: int) -> ExpectedFreeEnergy:
    report = agent.report((condition,))
    risk, ambiguity = float(report.risk[policy].sum()), float(report.ambiguity[policy].sum())
    return ExpectedFreeEnergy(
        total=risk + ambiguity,
        risk=risk,
        ambiguity=ambiguity,
        utility=float(report.utility[policy].sum()),
        state_information_gain=float(report.state_info_gain[policy].sum()),
    )
