"""Feeling the host: how strained it is, and whether to watch, to slow down or to call a person."""

from __future__ import annotations

import msgspec
import numpy as np
from emily_contracts import Act, Broadcast, ExpectedFreeEnergy, Status
from emily_runtime import Refused
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
        [0.75, 0.25, 0.05, 0.02],
        [0.20, 0.60, 0.20, 0.08],
        [0.04, 0.12, 0.60, 0.20],
        [0.01, 0.03, 0.15, 0.70],
    ]
)
"""P(level | condition), alike for all channels: (levels, conditions)."""
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
_C = np.array([0.0, -0.2, -1.0, -3.0])
"""Preference for each level in nats."""
_D = np.array([0.7, 0.2, 0.08, 0.02])
_COST = {"observe": 0.0, "throttle": 0.15, "alert": 0.5}
"""What an act costs, in nats: readings that are missed, a person who is disturbed."""
_PRECISION = 32.0


class Feeling(msgspec.Struct, frozen=True, kw_only=True):
    """What is expected of one host.

    Attributes:
        expected: (4,) probabilities of the conditions when the next reading comes.
        touched: Number of the event that touched it last.
    """

    expected: tuple[float, ...]
    touched: int


def think(feeling: Feeling | None, broadcast: Broadcast, *, seed: int, event: int) -> tuple[Feeling, Thought]:
    """What is expected of the host after a broadcast, and what to do about it.

    Raises:
        Refused: A conscious signal is of an unknown channel or not one value.
    """
    condition = _condition(_D if feeling is None else np.array(feeling.expected), broadcast)
    futures = np.stack([_B[act] @ condition for act in ACTS])
    levels = futures @ _A.T
    costs = np.array([_COST[act] for act in ACTS])
    utility = (1 + broadcast.modulation.caution) * (levels @ _C) - costs
    entropy = -(levels * np.log(levels)).sum(axis=1)
    ambiguity = futures @ -(_A * np.log(_A)).sum(axis=0)
    value = _PRECISION * broadcast.modulation.precision * (utility + entropy - ambiguity)
    policy = np.exp(value - value.max())
    chosen = int(np.searchsorted(np.cumsum(policy / policy.sum())[:-1], draw(seed, broadcast.stimulus_id)))
    act = ACTS[chosen]
    energy = ExpectedFreeEnergy(
        total=-float(utility[chosen] + entropy[chosen] - ambiguity[chosen]),
        risk=-float(utility[chosen] + entropy[chosen]),
        ambiguity=float(ambiguity[chosen]),
        utility=float(utility[chosen]),
        state_information_gain=float(entropy[chosen] - ambiguity[chosen]),
    )
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
        expected_free_energy=energy if conscious else None,
        policies_weighed=len(ACTS) if conscious else 0,
    )
    after = _B[act if act in _B else "observe"] @ condition
    return Feeling(expected=tuple(after.tolist()), touched=event), thought


def _condition(expected: Array, broadcast: Broadcast) -> Array:
    """(4,) posterior of the conditions; channels that didn't become conscious say nothing."""
    joint = expected
    for content in broadcast.contents:
        if content.channel not in CHANNELS:
            raise Refused(f"contents.channel: {content.channel!r} is not felt; send {', '.join(CHANNELS)}")
        if len(content.values) != 1:
            raise Refused(f"contents.{content.channel}.values: {len(content.values)} values; send one share")
        joint = joint * _A[np.searchsorted(_EDGES, content.values[0], side="right")]
    posterior: Array = joint / joint.sum()
    return posterior
