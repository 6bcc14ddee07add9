"""What each of many candidate looks is expected to tell, in one pass."""

from __future__ import annotations

import numpy as np

from emily_cognition.active_inference.errors import ModelError
from emily_cognition.active_inference.numerics import SMALLEST, Real


def conditional_entropy(likelihood: Real) -> Real:
    """(L, S) entropies in nats of outcomes given states, of likelihoods `(L, O, S)`."""
    logs = np.log(np.maximum(likelihood, SMALLEST))
    return np.asarray(-np.einsum("los,los->ls", likelihood, logs))


def information_gain(
    joint_posterior: Real,
    likelihood: Real,
    group: Real | None = None,
    *,
    entropies: Real | None = None,
) -> Real:
    """(L,) nats: mutual information of each look's outcome with the state, or with a group of states.

    Args:
        joint_posterior: (S,) belief about joint states.
        likelihood: (L, O, S) P(outcome | state) of each look.
        group: (K, S) of 0 and 1, or probabilities: which of K classes a state belongs to. With it the gain
            is about the class alone (a digit whatever its style), which is never more than about the state.
        entropies: (L, S) from `conditional_entropy`, to save them when looks are weighed again and again;
            used without a group.

    Raises:
        ModelError: Shapes don't fit.
    """
    states = joint_posterior.shape[0]
    if likelihood.ndim != 3 or likelihood.shape[2] != states:
        raise ModelError(f"likelihood: shape {likelihood.shape}, but (looks, outcomes, {states}) is needed")
    if group is None:
        return _about_states(joint_posterior, likelihood, entropies)
    if group.ndim != 2 or group.shape[1] != states:
        raise ModelError(f"group: shape {group.shape}, but (classes, {states}) is needed")
    looks, outcomes, _ = likelihood.shape
    weights = group * joint_posterior
    together = (likelihood.reshape(-1, states) @ weights.T).reshape(looks, outcomes, -1)
    about_outcomes = together.sum(axis=2)
    about_classes = weights.sum(axis=1)
    shared = np.einsum("lok,lok->l", together, np.log(np.maximum(together, SMALLEST)))
    certainty = about_classes @ np.log(np.maximum(about_classes, SMALLEST))
    return np.asarray(shared - _negentropy(about_outcomes) - certainty)


def _about_states(joint_posterior: Real, likelihood: Real, entropies: Real | None) -> Real:
    if entropies is None:
        entropies = conditional_entropy(likelihood)
    return np.asarray(-_negentropy(likelihood @ joint_posterior) - entropies @ joint_posterior)


def _negentropy(outcomes: Real) -> Real:
    return np.asarray(np.einsum("lo,lo->l", outcomes, np.log(np.maximum(outcomes, SMALLEST))))
