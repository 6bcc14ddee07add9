"""What a look would tell: expected information of many candidate observations at once."""

from __future__ import annotations

import numpy as np

from emily_cognition.active_inference.errors import ModelError
from emily_cognition.active_inference.numerics import Real, entropy


def information_gain(posterior: Real, likelihood: Real, groups: Real | None = None) -> Real:
    """Expected information in nats that each candidate look gives about the hidden state, `(L,)`.

    Args:
        posterior: `(S,)` belief over joint states.
        likelihood: `(L, O, S)`: P(outcome | state) of each look; sums to 1 over outcomes.
        groups: `(K, S)` of 0 and 1: which states share a value of the factor of interest. Given it, the
            gain is about that factor alone, I(o; k) = H[q(o)] - E_q(k)[H[q(o | k)]]; otherwise about the
            joint state.

    Raises:
        ModelError: The shapes do not fit.
    """
    if likelihood.ndim != 3 or likelihood.shape[2:] != posterior.shape:
        raise ModelError(
            f"likelihood: shape {likelihood.shape} does not end with the states {posterior.shape}"
        )
    outcomes = likelihood @ posterior
    if groups is None:
        return entropy(outcomes) - entropy(likelihood, axis=1) @ posterior
    if groups.shape[1:] != posterior.shape:
        raise ModelError(f"groups: shape {groups.shape} does not end with the states {posterior.shape}")
    weights = groups * posterior
    with_group = likelihood @ weights.T
    mass = weights.sum(axis=1)
    conditional = np.divide(with_group, mass, out=np.zeros_like(with_group), where=mass > 0)
    return entropy(outcomes) - entropy(conditional, axis=1) @ mass
