"""Beliefs over a whole sequence of hidden states: marginal and variational message passing, exact HMM.

A posterior is one array `(T, S_f)` a factor; observations are `(T,)` rows of one entry a modality; actions
are `(T-1, factors)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from emily_cognition.active_inference.errors import ModelError
from emily_cognition.active_inference.model import GenerativeModel
from emily_cognition.active_inference.numerics import SMALLEST, Real, contract, log, softmax
from emily_cognition.active_inference.states import (
    FPI_SWEEPS,
    Beliefs,
    FreeEnergy,
    InferenceAlgorithm,
    Observation,
    free_energy,
    infer_states,
    log_likelihoods,
    messages,
    predict_states,
)

Rows = Sequence[Sequence[Observation]]
Actions = Sequence[Sequence[int]]


def filter_states(
    model: GenerativeModel, rows: Rows, actions: Actions, *, inference_algo: InferenceAlgorithm | None = None
) -> Beliefs:
    """Online filtering: each posterior is predicted through B to be the next prior."""
    _require_lengths(rows, actions)
    prior, posteriors = model.D, []
    for t, row in enumerate(rows):
        posteriors.append(infer_states(model, row, prior, inference_algo=inference_algo))
        if t < len(actions):
            prior = predict_states(model, posteriors[-1], actions[t])
    return tuple(np.stack([q[f] for q in posteriors]) for f in range(len(model.D)))


def marginal_message_passing(
    model: GenerativeModel, rows: Rows, actions: Actions, *, sweeps: int = FPI_SWEEPS
) -> Beliefs:
    """Posterior by marginal message passing (Parr et al. 2019): ln of expected transitions, half weights."""
    return _sweep(model, rows, actions, sweeps, _marginal_messages)


def variational_message_passing(
    model: GenerativeModel, rows: Rows, actions: Actions, *, sweeps: int = FPI_SWEEPS
) -> Beliefs:
    """Posterior by variational message passing (Winn & Bishop 2005): expected ln of transitions."""
    return _sweep(model, rows, actions, sweeps, _variational_messages)


def sequence_free_energy(
    model: GenerativeModel, rows: Rows, actions: Actions, beliefs: Beliefs
) -> FreeEnergy:
    """Variational free energy of a mean-field posterior over a sequence."""
    neg_entropy = prior_cross = accuracy = transition = 0.0
    for t, row in enumerate(rows):
        now = tuple(q[t] for q in beliefs)
        here = free_energy(model, row, model.D, now)
        neg_entropy += here.neg_entropy
        accuracy += here.accuracy
        if t == 0:
            prior_cross = here.prior_cross_entropy
            continue
        for f, factors in enumerate(model.B_dependencies):
            given = {0: now[f]} | {1 + i: beliefs[d][t - 1] for i, d in enumerate(factors)}
            transition -= float(contract(log(model.B[f][..., int(actions[t - 1][f])]), given))
    return FreeEnergy(neg_entropy, prior_cross, accuracy, transition)


def hmm_filter(
    A: ArrayLike, B: ArrayLike, D: ArrayLike, observations: Sequence[int], actions: Sequence[int]
) -> Real:
    """Exact filtering of one factor, `(T, S)`; A `(O, S)`, B `(S', S, U)`, D `(S,)`."""
    a, b = np.asarray(A, dtype=np.float64), np.asarray(B, dtype=np.float64)
    belief, filtered = np.asarray(D, dtype=np.float64), []
    for t, observation in enumerate(observations):
        belief = a[observation] * belief
        belief = belief / max(belief.sum(), SMALLEST)
        filtered.append(belief)
        if t < len(actions):
            belief = b[..., actions[t]] @ belief
    return np.stack(filtered)


def hmm_smoother(B: ArrayLike, filtered: Real, actions: Sequence[int]) -> tuple[Real, Real]:
    """Exact smoothing of one factor after `hmm_filter` (Rauch, Tung & Striebel recursion).

    Returns:
        `(T, S)` marginals and `(T-1, S', S)` pairwise joints. A successor of probability 0 carries nothing,
        so structural zeros give zeros and no NaN.
    """
    b = np.asarray(B, dtype=np.float64)
    smoothed, joints = [filtered[-1]], []
    for t in range(len(filtered) - 2, -1, -1):
        joint = b[..., actions[t]] * filtered[t]
        predicted = joint.sum(axis=1, keepdims=True)
        backward = np.divide(joint, predicted, out=np.zeros_like(joint), where=predicted > 0)
        joint = backward * smoothed[-1][:, None]
        joint = joint / max(joint.sum(), SMALLEST)
        joints.append(joint)
        smoothed.append(joint.sum(axis=0))
    return np.stack(smoothed[::-1]), np.array(joints[::-1]).reshape(-1, b.shape[0], b.shape[1])


Transitions = list[list[Real]]
Messages = Callable[[GenerativeModel, Transitions, Beliefs, int, int], Real]


def _sweep(model: GenerativeModel, rows: Rows, actions: Actions, sweeps: int, message: Messages) -> Beliefs:
    _require_lengths(rows, actions)
    length = len(rows)
    evidence = [log_likelihoods(model, row) for row in rows]
    transitions = [[b[..., int(actions[t][f])] for f, b in enumerate(model.B)] for t in range(length - 1)]
    beliefs: Beliefs = tuple(np.full((length, n), 1.0 / n) for n in model.num_states)
    for _ in range(sweeps):
        seen = [messages(model, evidence[t], tuple(q[t] for q in beliefs)) for t in range(length)]
        beliefs = tuple(
            np.stack(
                [softmax(seen[t][f] + message(model, transitions, beliefs, f, t)) for t in range(length)]
            )
            for f in range(len(beliefs))
        )
    return beliefs


def _marginal_messages(
    model: GenerativeModel, transitions: Transitions, beliefs: Beliefs, f: int, t: int
) -> Real:
    last = len(beliefs[0]) - 1
    forward = (
        log(model.D[f])
        if t == 0
        else log(contract(transitions[t - 1][f], _parents(model, beliefs, f, t - 1)))
    )
    if t == last:
        return forward
    total = 0.5 * forward
    for child, axis in _children(model, f):
        others = _parents(model, beliefs, child, t)
        others.pop(axis)
        pairwise = contract(transitions[t][child], others)
        norm = np.maximum(pairwise.sum(axis=-1, keepdims=True), SMALLEST)
        total = total + 0.5 * log(beliefs[child][t + 1] @ (pairwise / norm))
    return total


def _variational_messages(
    model: GenerativeModel, transitions: Transitions, beliefs: Beliefs, f: int, t: int
) -> Real:
    last = len(beliefs[0]) - 1
    total = (
        log(model.D[f])
        if t == 0
        else contract(log(transitions[t - 1][f]), _parents(model, beliefs, f, t - 1))
    )
    if t == last:
        return total
    for child, axis in _children(model, f):
        others = _parents(model, beliefs, child, t)
        others.pop(axis)
        total = total + beliefs[child][t + 1] @ contract(log(transitions[t][child]), others)
    return total


def _parents(model: GenerativeModel, beliefs: Beliefs, f: int, t: int) -> dict[int, Real]:
    return {1 + i: beliefs[d][t] for i, d in enumerate(model.B_dependencies[f])}


def _children(model: GenerativeModel, f: int) -> list[tuple[int, int]]:
    """(factor, axis of f in its transition) of every factor whose transition depends on f."""
    return [(g, 1 + deps.index(f)) for g, deps in enumerate(model.B_dependencies) if f in deps]


def _require_lengths(rows: Rows, actions: Actions) -> None:
    if len(actions) not in (len(rows) - 1, len(rows)):
        raise ModelError(
            f"actions: {len(actions)} given for {len(rows)} observations; {len(rows) - 1} are needed"
        )
