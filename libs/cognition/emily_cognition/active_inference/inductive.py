"""Inductive planning: avoid states from which the intended ones can't be reached in time (Friston 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from emily_cognition.active_inference.errors import ModelError
from emily_cognition.active_inference.model import GenerativeModel
from emily_cognition.active_inference.numerics import Real

DEFAULT_EPSILON = 1e-3


@dataclass(frozen=True, eq=False)
class Reachability:
    """Which states can still reach the intended ones.

    Attributes:
        matrices: One `(depth, S_f)` of 0 and 1 a factor: row i says from where i steps suffice.
        epsilon: Probability that an inadmissible state is treated with.
    """

    matrices: tuple[Real, ...]
    epsilon: float = DEFAULT_EPSILON


def generate_I_matrix(
    model: GenerativeModel,
    H: Sequence[ArrayLike],
    *,
    threshold: float,
    depth: int,
    epsilon: float = DEFAULT_EPSILON,
) -> Reachability:
    """Reachability of intended states `H`, one `(S_f,)` of 0 and 1 a factor.

    Args:
        model: Its factors depend on themselves alone.
        H: Intended states.
        threshold: Probability above which a transition counts as possible.
        depth: Backward steps, the intention itself included.
        epsilon: See `Reachability`.

    Raises:
        ModelError: A size does not fit, or a factor depends on others.
    """
    if depth < 1:
        raise ModelError(f"depth: {depth} is below 1")
    if len(H) != len(model.B):
        raise ModelError(f"H: {len(H)} arrays given, {len(model.B)} factors")
    matrices = []
    for f, intended in enumerate(H):
        if model.B_dependencies[f] != (f,):
            raise ModelError(
                f"B_dependencies[{f}]: inductive planning needs factors that depend on themselves alone"
            )
        goal = np.asarray(intended, dtype=np.float64)
        if goal.shape != (model.num_states[f],):
            raise ModelError(f"H[{f}]: shape {goal.shape}, but ({model.num_states[f]},) is needed")
        possible = (model.B[f] > threshold).any(axis=-1)
        rows = [goal]
        for _ in range(depth - 1):
            rows.append(((rows[-1] @ possible) > 0).astype(np.float64))
        matrices.append(np.stack(rows))
    return Reachability(tuple(matrices), epsilon)


def inductive_values(reachability: Reachability, start: tuple[int, ...], states: tuple[Real, ...]) -> Real:
    """`(nodes,)` log-probability of staying admissible, from the likeliest state of each factor."""
    total = np.zeros(len(states[0]))
    for matrix, here, predicted in zip(reachability.matrices, start, states, strict=True):
        column = matrix[:, here]
        if column.any():
            steps = max(int(np.argmax(column)) - 1, 0)
            total += predicted @ ((1.0 - matrix[steps]) * np.log(reachability.epsilon))
    return total
