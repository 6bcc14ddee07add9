"""Learning as counting: Dirichlet updates of A, B and D, with forgetting.

New counts = base + (1 - forgetting) (old - base) + rate x evidence: with forgetting, counts relax to their
base, so that old evidence fades but structural zeros stay zero.
"""

from __future__ import annotations

import numpy as np

from emily_cognition.active_inference.errors import ModelError
from emily_cognition.active_inference.model import GenerativeModel
from emily_cognition.active_inference.numerics import Real, digamma, log_gamma, outer
from emily_cognition.active_inference.sequence import Actions, Rows
from emily_cognition.active_inference.states import Beliefs, Observation


def expected(counts: Real) -> Real:
    """Mean of a Dirichlet over its first axis; a column without counts is uniform."""
    total = counts.sum(axis=0, keepdims=True)
    uniform = np.full_like(counts, 1.0 / len(counts))
    return np.divide(counts, total, out=uniform, where=total > 0)


def update_A(
    model: GenerativeModel,
    rows: Rows,
    beliefs: Beliefs,
    *,
    rate: float = 1.0,
    forgetting: float = 0.0,
    base: tuple[Real, ...] | None = None,
) -> tuple[Real, ...]:
    """Counts of A after observations `(T,)` under beliefs `(T, S_f)`; masked observations teach nothing."""
    counts = _counts(model.pA, "pA")
    updated = []
    for m, old in enumerate(counts):
        factors = model.A_dependencies[m]
        evidence = np.zeros_like(old)
        for t, row in enumerate(rows):
            if row[m] is not None:
                evidence += outer(_one_hot(row[m], model.num_obs[m]), *(beliefs[f][t] for f in factors))
        updated.append(_learn(old, evidence, rate, forgetting, base[m] if base else None))
    return tuple(updated)


def update_B(
    model: GenerativeModel,
    actions: Actions,
    beliefs: Beliefs,
    *,
    joints: tuple[Real, ...] | None = None,
    rate: float = 1.0,
    forgetting: float = 0.0,
    base: tuple[Real, ...] | None = None,
) -> tuple[Real, ...]:
    """Counts of B after actions `(T-1, factors)`.

    Args:
        model: With pB.
        actions: What was done.
        beliefs: `(T, S_f)` each; successive marginals are taken as independent without `joints`.
        joints: `(T-1, S_f, S_d...)` pairwise posteriors of each factor, such as a smoother gives.
        rate, forgetting, base: See the module.
    """
    counts = _counts(model.pB, "pB")
    updated = []
    for f, old in enumerate(counts):
        evidence = np.zeros_like(old)
        for t, action in enumerate(actions[: len(beliefs[f]) - 1]):
            pair = (
                outer(beliefs[f][t + 1], *(beliefs[d][t] for d in model.B_dependencies[f]))
                if joints is None
                else joints[f][t]
            )
            evidence[..., int(action[f])] += pair
        updated.append(_learn(old, evidence, rate, forgetting, base[f] if base else None))
    return tuple(updated)


def update_D(
    model: GenerativeModel,
    beliefs: Beliefs,
    *,
    rate: float = 1.0,
    forgetting: float = 0.0,
    base: tuple[Real, ...] | None = None,
) -> tuple[Real, ...]:
    """Counts of D after the first beliefs `(S_f,)` of an episode."""
    counts = _counts(model.pD, "pD")
    return tuple(
        _learn(old, beliefs[f], rate, forgetting, base[f] if base else None) for f, old in enumerate(counts)
    )


def dirichlet_divergence(posterior: Real, prior: Real) -> float:
    """KL[Dir(posterior) || Dir(prior)] in nats, summed over columns."""
    q, p = np.maximum(posterior, np.finfo(float).eps), np.maximum(prior, np.finfo(float).eps)
    q_sum, p_sum = q.sum(axis=0), p.sum(axis=0)
    terms = (
        log_gamma(q_sum)
        - log_gamma(p_sum)
        - log_gamma(q).sum(axis=0)
        + log_gamma(p).sum(axis=0)
        + ((q - p) * (digamma(q) - digamma(q_sum)[None])).sum(axis=0)
    )
    return float(terms.sum())


def _learn(old: Real, evidence: Real, rate: float, forgetting: float, base: Real | None) -> Real:
    if not 0 <= forgetting <= 1:
        raise ModelError(f"forgetting: {forgetting} is not in [0, 1]")
    if not rate >= 0:
        raise ModelError(f"rate: {rate} is below 0")
    ground = np.zeros_like(old) if base is None else base
    return np.asarray(ground + (1.0 - forgetting) * (old - ground) + rate * evidence)


def _counts(counts: tuple[Real, ...] | None, name: str) -> tuple[Real, ...]:
    if counts is None:
        raise ModelError(f"{name}: the model has no counts to learn; create it with {name}")
    return counts


def _one_hot(observation: Observation, outcomes: int) -> Real:
    if isinstance(observation, np.ndarray):
        return observation
    vector = np.zeros(outcomes)
    vector[observation] = 1.0
    return vector
