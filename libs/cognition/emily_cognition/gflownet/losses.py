"""What a balanced flow satisfies, as losses of a batch of walks with their gradients.

Every loss punishes the residual of pieces m..n of a walk s_0 .. s_l, whose end s_l carries the reward:

    residual(m, n) = log F(s_m) + sum_{m<=i<n} r_i - log F(s_n),    r_i = log P_F(i) - log P_B(i),

with log F(s_l) = log R. It is the difference u_m - u_n of potentials u_m = log F(s_m) - sum_{i<m} r_i, so a
choice of weights is all that separates detailed balance from sub-trajectory and trajectory balance.

Sources: Bengio et al. 2023 (DB), Malkin et al. 2022 (TB), Madan et al. 2023 (SubTB), Richter et al. 2020 and
Zhang et al. 2023 (VarGrad). The names of the weightings are torchgfn's.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emily_cognition.gflownet.graph import Indices, Real


@dataclass(frozen=True, eq=False)
class Walks:
    """What the losses need of B walks of at most L steps; entries beyond a walk's length are 0.

    Attributes:
        log_ratio: (B, L) log P_F - log P_B of each step.
        log_flow: (B, L) log F of the state that each step leaves; its first column is log Z.
        log_reward: (B,) of the object at the end.
        lengths: (B,) steps, the ending one included.
    """

    log_ratio: Real
    log_flow: Real
    log_reward: Real
    lengths: Indices


@dataclass(frozen=True, eq=False)
class Loss:
    """A loss with its gradient.

    Attributes:
        value: The loss.
        log_forward: (B, L) by log P_F of each step; that by log P_B is its negative.
        log_flow: (B, L) by log F of the state that each step leaves.
    """

    value: float
    log_forward: Real
    log_flow: Real


class Weighting(enum.Enum):
    """How pieces of walks are weighed; `within` weighs each walk alike."""

    DB = "DB"
    MODIFIED_DB = "ModifiedDB"
    TB = "TB"
    EQUAL = "equal"
    EQUAL_WITHIN = "equal_within"
    GEOMETRIC = "geometric"
    GEOMETRIC_WITHIN = "geometric_within"


def trajectory_balance(walks: Walks) -> Loss:
    """Mean of (log Z + sum r - log R)^2 over whole walks."""
    residual = walks.log_flow[:, 0] + _score(walks)
    loss = _of_residual(walks, residual)
    loss.log_flow[:, 0] = 2.0 * residual / len(residual)
    return loss


def log_partition_variance(walks: Walks) -> Loss:
    """Variance of log R - sum r over the batch (VarGrad): trajectory balance that needs no log Z."""
    score = _score(walks)
    return _of_residual(walks, score - score.mean())


def log_partition_estimate(walks: Walks) -> float:
    """The log Z that fits the batch best: mean of log R - sum r."""
    return float(-_score(walks).mean())


def detailed_balance(walks: Walks) -> Loss:
    """Mean of the squared residual over all steps of the batch."""
    return sub_trajectory_balance(walks, Weighting.DB)


def sub_trajectory_balance(walks: Walks, weighting: Weighting, lamda: float = 0.9) -> Loss:
    """Weighted sum of the squared residual over all pieces of all walks.

    Args:
        walks: The batch.
        weighting: Of the pieces.
        lamda: How a piece's weight falls with each step of its length, where it is geometric.
    """
    steps = walks.log_ratio.shape[1]
    flow = np.pad(walks.log_flow, ((0, 0), (0, 1)))
    flow[np.arange(len(flow)), walks.lengths] = walks.log_reward
    potential = flow - np.pad(np.cumsum(walks.log_ratio, axis=1), ((0, 0), (1, 0)))
    difference = potential[:, :, None] - potential[:, None, :]
    pulled = _weights(walks.lengths, steps, weighting, lamda) * difference
    slope = 2.0 * pulled.sum(axis=2)
    return Loss(
        value=float(0.5 * np.vdot(pulled, difference)),
        log_forward=np.cumsum(slope, axis=1)[:, :-1] * _inside(walks),
        log_flow=slope[:, :-1] * _inside(walks),
    )


def _score(walks: Walks) -> Real:
    return np.asarray(walks.log_ratio.sum(axis=1) - walks.log_reward)


def _of_residual(walks: Walks, residual: Real) -> Loss:
    slope = 2.0 * residual / len(residual)
    return Loss(
        value=float(np.mean(residual**2)),
        log_forward=slope[:, None] * _inside(walks),
        log_flow=np.zeros_like(walks.log_flow),
    )


def _inside(walks: Walks) -> NDArray[np.bool_]:
    return np.asarray(np.arange(walks.log_ratio.shape[1]) < walks.lengths[:, None])


def _weights(lengths: Indices, steps: int, weighting: Weighting, lamda: float) -> Real:
    """(B, L + 1, L + 1) weight of each piece, in both orders of its ends."""
    place = np.arange(steps + 1)
    gap = np.abs(place[:, None] - place)
    by_length = _by_gap(lengths, steps, weighting, lamda)[:, gap]
    end = np.maximum(place[:, None], place)
    return np.asarray(by_length * (end <= lengths[:, None, None]))


def _by_gap(lengths: Indices, steps: int, weighting: Weighting, lamda: float) -> Real:
    """(B, L + 1) weight of a piece by the number of its steps; column 0 is of no meaning and 0."""
    gap = np.arange(steps + 1)
    single, any_gap = 1.0 * (gap == 1), 1.0 * (gap > 0)
    length, walks = lengths[:, None], len(lengths)
    pieces = np.maximum(length + 1 - gap, 0) * any_gap
    geometric = lamda ** np.maximum(gap - 1.0, 0.0) * any_gap
    possible = geometric * (gap <= lengths.max())
    shares = {
        Weighting.DB: lambda: single / lengths.sum(),
        Weighting.MODIFIED_DB: lambda: single / (walks * length),
        Weighting.TB: lambda: (gap == length) / walks,
        Weighting.EQUAL: lambda: any_gap / pieces.sum(),
        Weighting.EQUAL_WITHIN: lambda: any_gap / (walks * pieces.sum(axis=1, keepdims=True)),
        Weighting.GEOMETRIC: lambda: possible / possible.sum() / np.maximum(pieces.sum(axis=0), 1),
        Weighting.GEOMETRIC_WITHIN: lambda: geometric / (walks * (geometric * pieces).sum(1, keepdims=True)),
    }
    return np.broadcast_to(shares[weighting](), pieces.shape)
