"""How much expected free energy is trusted, learned from how policies fared."""

from __future__ import annotations

from dataclasses import dataclass

from emily_cognition.active_inference.errors import ModelError
from emily_cognition.active_inference.numerics import Real, softmax

_STEP = 0.5
_ITERATIONS = 64
_SETTLED = 1e-12
_LEAST_BETA = 1e-3


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Expected precision of policies.

    Attributes:
        beta: Rate of the gamma distribution, above 0.
        updates: Gamma after each iteration; their changes are read as phasic dopamine.
    """

    beta: float
    updates: tuple[float, ...] = ()

    @property
    def gamma(self) -> float:
        """Expected precision, 1 / beta."""
        return 1.0 / self.beta


def update_precision(
    neg_efe: Real, policy_evidence: Real, log_prior: Real, *, beta: float = 1.0
) -> Precision:
    """The precision under which policies' expected free energy agrees with their evidence.

    Iterates beta <- beta_0 - (pi - pi_0) . neg_efe, where pi_0 = softmax(ln E + gamma neg_efe) is what was
    expected of policies and pi = softmax(ln E + gamma neg_efe - F) what they are after evidence.

    Args:
        neg_efe: (P,) nats.
        policy_evidence: (P,) -F: negative variational free energy of each policy's past, in nats.
        log_prior: (P,) ln E.
        beta: Prior rate; 1 / beta is the prior precision.

    Raises:
        ModelError: beta is not above 0.

    Source: Friston et al. 2017, eq. 2.14; Smith, Friston & Whyte 2022, sec. 2.6.
    """
    if not beta > 0:
        raise ModelError(f"beta: {beta} is not above 0")
    posterior, updates = beta, []
    for _ in range(_ITERATIONS):
        logits = log_prior + neg_efe / posterior
        surprise = (softmax(logits + policy_evidence) - softmax(logits)) @ neg_efe
        gradient = posterior - beta + surprise
        posterior = max(posterior - _STEP * float(gradient), _LEAST_BETA)
        updates.append(1.0 / posterior)
        if abs(gradient) < _SETTLED:
            break
    return Precision(beta=posterior, updates=tuple(updates))
