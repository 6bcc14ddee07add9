"""Dirichlet learning: counts of what was seen, and the expected probabilities that follow.

    counts' = counts - forgetting (counts - initial) + lr evidence

Counts of 0 are structural zeros and stay 0. Where all counts of a distribution are 0 the model's
probabilities stay as they are. Beliefs are `(T, S_f)` a factor, observations T rows of one entry a modality.
Source: Friston et al. 2017, eq. 2.18; forgetting towards initial counts as in Smith, Friston & Whyte 2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from emily_cognition.active_inference.errors import ModelError
from emily_cognition.active_inference.model import Arrays, GenerativeModel
from emily_cognition.active_inference.numerics import Real
from emily_cognition.active_inference.states import Observation, checked
from emily_cognition.active_inference.validation import require_count


@dataclass(frozen=True, eq=False, kw_only=True)
class Rate:
    """How fast is learned and forgotten.

    Attributes:
        lr: Counts that one certain observation adds.
        forgetting: Share of what was learned that is lost at each update, 0 to 1.
        initial: Counts that remain when all is forgotten, shaped as those learned; none means 0.
    """

    lr: float = 1.0
    forgetting: float = 0.0
    initial: Arrays | None = None

    def __post_init__(self) -> None:
        if not self.lr >= 0:
            raise ModelError(f"lr: {self.lr} is below 0")
        if not 0 <= self.forgetting <= 1:
            raise ModelError(f"forgetting: {self.forgetting} is not in 0..1")

    def after(self, i: int, counts: Real, evidence: Real) -> Real:
        """The i-th counts after evidence of the same shape."""
        initial = 0.0 if self.initial is None else self.initial[i]
        kept = counts - self.forgetting * (counts - initial)
        return np.asarray(np.where(counts > 0, kept + self.lr * evidence, 0.0))


ONCE = Rate()


def update_A(
    model: GenerativeModel, rows: Sequence[Sequence[Observation]], beliefs: Arrays, rate: Rate = ONCE
) -> GenerativeModel:
    """The model after learning which outcomes states have; masked outcomes teach nothing.

    Raises:
        ModelError: There is no pA, or observations or beliefs don't fit.
    """
    counts = _learned("pA", model.pA)
    _require_beliefs(model, beliefs, len(rows))
    seen = [checked(model, row) for row in rows]
    after = []
    for m, (own, factors) in enumerate(zip(counts, model.A_dependencies, strict=True)):
        outcomes = np.stack([_one_hot(row[m], model.num_obs[m]) for row in seen])
        joint = _joint([beliefs[f] for f in factors])
        after.append(rate.after(m, own, (outcomes.T @ joint).reshape(own.shape)))
    return replace(model, pA=tuple(after), A=_expected(after, model.A))


def update_B(
    model: GenerativeModel,
    beliefs: Arrays,
    actions: Sequence[Sequence[int]],
    rate: Rate = ONCE,
    *,
    pairwise: Arrays | None = None,
) -> GenerativeModel:
    """The model after learning what follows what.

    Args:
        model: With pB.
        beliefs: (T, S_f) a factor.
        actions: T-1 actions.
        rate: Of learning.
        pairwise: (T-1, S_f, S_d...) a factor: joint beliefs about a state and its parents before, as a
            smoother gives them; by default the product of `beliefs`.

    Raises:
        ModelError: There is no pB, or beliefs or actions don't fit.
    """
    counts = _learned("pB", model.pB)
    _require_beliefs(model, beliefs, len(actions) + 1)
    after = []
    for f, (own, parents) in enumerate(zip(counts, model.B_dependencies, strict=True)):
        controls = np.eye(model.num_controls[f])[[int(action[f]) for action in actions]]
        if pairwise is None:
            joint = _joint([beliefs[f][1:], *(beliefs[d][:-1] for d in parents)])
        else:
            joint = pairwise[f].reshape(len(actions), -1)
        after.append(rate.after(f, own, (joint.T @ controls).reshape(own.shape)))
    return replace(model, pB=tuple(after), B=_expected(after, model.B))


def update_D(model: GenerativeModel, beliefs: Sequence[Real], rate: Rate = ONCE) -> GenerativeModel:
    """The model after learning where things start, from the first beliefs `(S_f,)` a factor.

    Raises:
        ModelError: There is no pD, or the beliefs don't fit.
    """
    counts = _learned("pD", model.pD)
    _require_beliefs(model, tuple(np.asarray(q)[None] for q in beliefs), 1)
    after = [
        rate.after(f, own, np.asarray(q)) for f, (own, q) in enumerate(zip(counts, beliefs, strict=True))
    ]
    return replace(model, pD=tuple(after), D=_expected(after, model.D))


def _learned(name: str, counts: Arrays | None) -> Arrays:
    if counts is None:
        raise ModelError(f"{name}: the model has no counts to learn; create it with {name}")
    return counts


def _require_beliefs(model: GenerativeModel, beliefs: Arrays, length: int) -> None:
    require_count("beliefs", beliefs, len(model.num_states))
    for f, (q, states) in enumerate(zip(beliefs, model.num_states, strict=True)):
        if q.shape != (length, states):
            raise ModelError(f"beliefs[{f}]: shape {q.shape}, but ({length}, {states}) is needed")


def _one_hot(observation: Observation, outcomes: int) -> Real:
    if observation is None:
        return np.zeros(outcomes)
    return np.asarray(np.eye(outcomes)[observation] if isinstance(observation, int) else observation)


def _joint(beliefs: Sequence[Real]) -> Real:
    """(T, joint states) products of beliefs `(T, S)`."""
    joint = beliefs[0]
    for q in beliefs[1:]:
        joint = (joint[:, :, None] * q[:, None, :]).reshape(len(q), -1)
    return joint


def _expected(counts: Sequence[Real], otherwise: Arrays) -> Arrays:
    expected = []
    for own, former in zip(counts, otherwise, strict=True):
        total = own.sum(axis=0, keepdims=True)
        expected.append(np.divide(own, total, out=former.copy(), where=total > 0))
    return tuple(expected)
