"""Precision of policies: how far expected free energy is trusted, by what it turned out to be worth.

Source: Smith, Friston & Whyte 2022, section 2.5 and table 2 (beta is the rate of a gamma distribution,
gamma = 1 / beta; Schwartenbeck 2015 reads its change as dopamine).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emily_cognition.active_inference.errors import ModelError
from emily_cognition.active_inference.numerics import Real, log, softmax

STEP = 0.5
SMALLEST_BETA = 1e-3


@dataclass(frozen=True, eq=False)
class Precision:
    """A posterior over precision.

    Attributes:
        beta: Posterior rate, > 0.
        q_pi: `(policies,)` posterior of policies under it.
        change: gamma after less gamma before: the dopamine-like response.
    """

    beta: float
    q_pi: Real
    change: float

    @property
    def gamma(self) -> float:
        """Expected precision."""
        return 1.0 / self.beta


def update_precision(
    neg_efe: Real, prior: Real, policy_free_energy: Real, *, beta: float = 1.0, iterations: int = 16
) -> Precision:
    """Precision after seeing how well each policy explains what happened.

    Args:
        neg_efe: `(policies,)`.
        prior: `(policies,)` E.
        policy_free_energy: `(policies,)` variational free energy under each policy; lower explains better.
        beta: Prior rate, > 0.
        iterations: Of the gradient.
    """
    if not beta > 0:
        raise ModelError(f"beta: {beta} is not above 0")
    habits, posterior_beta = log(prior), beta
    for _ in range(iterations):
        before = softmax(habits + neg_efe / posterior_beta)
        after = softmax(habits + neg_efe / posterior_beta - policy_free_energy)
        error = float((after - before) @ neg_efe)
        posterior_beta = max(posterior_beta - STEP * (posterior_beta - beta + error), SMALLEST_BETA)
    q_pi = softmax(habits + neg_efe / posterior_beta - policy_free_energy)
    return Precision(beta=posterior_beta, q_pi=np.asarray(q_pi), change=1.0 / posterior_beta - 1.0 / beta)
