"""Where to look next, or what to report: policies weighed by their expected free energy."""

from __future__ import annotations

import msgspec
import numpy as np
from emily_cognition.active_inference.numerics import entropy, softmax
from emily_contracts import ExpectedFreeEnergy, Modulation
from numpy.typing import NDArray

from emily_inference.vision.grey import DIGITS, PLACES


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted, in nats (the C of the model).

    Attributes:
        correct: Of a correct report.
        wrong: Of a wrong one, below 0; caution adds to it.
        look: Of each look, below 0; caution takes from it.
        precision: Inverse temperature of the choice among policies at a modulation of 1.
    """

    correct: float = 1.0
    wrong: float = -2.0
    look: float = -0.02
    precision: float = 512.0


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """All policies with the parts of their expected free energy G = -(utility + information gain).

    The first DIGITS policies report a digit at once; the others look at `places` and report then.

    Attributes:
        places: (n,) that can still be looked at.
        utility: (DIGITS + n,) expected preference, in nats.
        information_gain: (DIGITS + n,) expected, about the digit, before the report.
        entropy: (DIGITS + n,) of what would be sensed.
        probabilities: (DIGITS + n,) of each policy.
    """

    places: NDArray[np.intp]
    utility: NDArray[np.float64]
    information_gain: NDArray[np.float64]
    entropy: NDArray[np.float64]
    probabilities: NDArray[np.float64]

    def expected_free_energy(self, policy: int) -> ExpectedFreeEnergy:
        """Of one policy, split both ways: risk + ambiguity, and utility and information gain."""
        utility, gain = float(self.utility[policy]), float(self.information_gain[policy])
        entropy = float(self.entropy[policy])
        return ExpectedFreeEnergy(
            total=-(utility + gain),
            risk=-(utility + entropy),
            ambiguity=entropy - gain,
            utility=utility,
            state_information_gain=gain,
        )


def weigh(
    digit: NDArray[np.float64],
    digit_and_level: NDArray[np.float64],
    seen: tuple[int, ...],
    preferences: Preferences,
    modulation: Modulation,
) -> Weighed:
    """The policies that are open now.

    A look is worth what it tells about the digit (mutual information of digit and level) and by how much
    it improves the report after it, both discounted by the modulation's horizon, less its cost. The
    report ends the episode, so what its outcome tells comes too late to be worth anything.

    Args:
        digit: (DIGITS,) beliefs.
        digit_and_level: (DIGITS, PLACES, LEVELS) joint predictions.
        seen: Places that tell nothing new.
        preferences: In nats.
        modulation: Caution makes being wrong worse and looking cheaper; precision sharpens the choice.

    Source: Parr, Pezzulo & Friston (2022), Active Inference, equation 2.6.
    """
    places = np.setdiff1d(np.arange(PLACES), seen)
    joint = digit_and_level[:, places]
    wrong = preferences.wrong * (1 + modulation.caution)
    look = preferences.look * (1 - modulation.caution)
    stake = preferences.correct - wrong
    confidence_after = joint.max(axis=0).sum(axis=1)
    level_entropy = entropy(joint.sum(axis=0))
    gain = np.maximum(0.0, entropy(digit) + level_entropy - entropy(joint).sum(axis=0))
    later = modulation.horizon
    now = wrong + stake * digit
    after = now.max() + later * stake * (confidence_after - digit.max()) + look
    utility = np.concatenate([now, after])
    information_gain = np.concatenate([np.zeros(DIGITS), later * gain])
    value = preferences.precision * modulation.precision * (utility + information_gain)
    return Weighed(
        places=places,
        utility=utility,
        information_gain=information_gain,
        entropy=np.concatenate([np.zeros(DIGITS), level_entropy]),
        probabilities=softmax(value),
    )


def chosen(weighed: Weighed, draw: float) -> int:
    """The index of the policy at `draw`, in [0, 1), of the cumulated probabilities."""
    return int(np.searchsorted(np.cumsum(weighed.probabilities[:-1]), draw, side="right"))
