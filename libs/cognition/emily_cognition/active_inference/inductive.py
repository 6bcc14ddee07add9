"""Inductive planning: steps that keep an intended state within reach are preferred (Friston et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from emily_cognition.active_inference.errors import ModelError
from emily_cognition.active_inference.model import Arrays, GenerativeModel
from emily_cognition.active_inference.numerics import Real
from emily_cognition.active_inference.validation import require_count, require_shape


def generate_I_matrix(
    model: GenerativeModel, H: Sequence[ArrayLike], *, threshold: float, depth: int
) -> Arrays:
    """For each factor `(depth, S_f)`: 1 where an intended state can be reached within that many steps.

    Args:
        model: Its B says what can follow; of parents other than the factor itself any value may help.
        H: For each factor `(S_f,)`, 1 for intended states; all 0 if nothing is intended of the factor.
        threshold: Transitions with at most this probability don't count.
        depth: Steps looked back, 1 or more.

    Raises:
        ModelError: H does not fit, the depth is below 1, or a factor does not depend on itself.
    """
    if depth < 1:
        raise ModelError(f"depth: {depth} is below 1")
    require_count("H", H, len(model.B))
    reachability = []
    for f, (goal, transition) in enumerate(zip(H, model.B, strict=True)):
        reached = np.asarray(goal, dtype=np.float64)
        require_shape(f"H[{f}]", reached, (model.num_states[f],))
        parents = model.B_dependencies[f]
        if f not in parents:
            raise ModelError(f"B_dependencies[{f}]: {parents} lacks {f}; its past states lead nowhere")
        others = tuple(axis for axis in range(1, transition.ndim) if axis != 1 + parents.index(f))
        possible = (transition > threshold).any(axis=others)
        rows = [reached]
        for _ in range(depth - 1):
            rows.append((rows[-1] @ possible > 0).astype(np.float64))
        reachability.append(np.stack(rows))
    return tuple(reachability)


@dataclass(frozen=True, eq=False)
class Intention:
    """A goal to plan for.

    Attributes:
        reachability: From `generate_I_matrix`.
        epsilon: Probability left to steps that lose the goal; its logarithm is their cost in nats.
    """

    reachability: Arrays
    epsilon: float = 1e-3

    def __post_init__(self) -> None:
        if not 0 < self.epsilon < 1:
            raise ModelError(f"epsilon: {self.epsilon} is not between 0 and 1")

    def value(self, factor: int, before: Real, after: Real) -> Real:
        """(N,) nats, 0 or less, for a factor's beliefs `(N, S_f)` before and after a step.

        The likeliest state before the step is taken for true; if no path leads on from it, nothing is added.
        """
        reachable = self.reachability[factor]
        reached_from = reachable[:, before.argmax(axis=1)]
        nearer = np.maximum(reached_from.argmax(axis=0) - 1, 0)
        lost = ((1.0 - reachable[nearer]) * after).sum(axis=1)
        return np.asarray(reached_from.any(axis=0) * lost * np.log(self.epsilon))
