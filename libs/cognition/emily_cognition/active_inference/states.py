"""Beliefs over hidden states from one set of observations.

An observation of a modality is an outcome's index, a distribution `(O_m,)` over outcomes (soft), or None
(masked). A soft observation contributes E_q(o)[ln P(o | s)]. A posterior is one vector `(S_f,)` a factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from emily_cognition.active_inference.errors import ModelError
from emily_cognition.active_inference.model import GenerativeModel
from emily_cognition.active_inference.numerics import SMALLEST, Real, contract, log, outer, softmax
from emily_cognition.active_inference.validation import TOLERANCE, require_count

FPI_SWEEPS = 16
EXACT_UP_TO = 4096
"""Joint states up to which exact inference is the default."""

_LEAST_LOG = float(np.log(SMALLEST))

Observation = int | Real | None
Beliefs = tuple[Real, ...]
InferenceAlgorithm = Literal["exact", "fpi"]


@dataclass(frozen=True)
class FreeEnergy:
    """Variational free energy of a posterior in nats: complexity less accuracy.

    Attributes:
        neg_entropy: Sum over factors of E_q[ln q].
        prior_cross_entropy: Sum over factors of -E_q[ln prior].
        transition_cross_entropy: Of sequences: sum of -E_q[ln B].
        accuracy: E_q[ln P(o | s)].
    """

    neg_entropy: float
    prior_cross_entropy: float
    accuracy: float
    transition_cross_entropy: float = 0.0

    @property
    def total(self) -> float:
        """Variational free energy; an upper bound on surprise."""
        return self.neg_entropy + self.prior_cross_entropy + self.transition_cross_entropy - self.accuracy

    @property
    def complexity(self) -> float:
        """KL[q || prior]."""
        return self.neg_entropy + self.prior_cross_entropy + self.transition_cross_entropy


def infer_states(
    model: GenerativeModel,
    observations: Sequence[Observation],
    prior: Beliefs,
    *,
    inference_algo: InferenceAlgorithm | None = None,
    sweeps: int = FPI_SWEEPS,
) -> Beliefs:
    """The posterior marginals of every factor.

    Args:
        model: Is not changed, whatever is masked.
        observations: One for each modality.
        prior: One distribution for each factor.
        inference_algo: `exact` (joint Bayes) or `fpi` (mean field); by default exact up to `EXACT_UP_TO`
            joint states.
        sweeps: Of fixed-point iteration.

    Raises:
        ModelError: An observation or the prior does not fit.
    """
    seen = checked(model, observations)
    _require_prior(model, prior)
    algorithm = inference_algo or ("exact" if model.joint_states <= EXACT_UP_TO else "fpi")
    if algorithm == "exact":
        return marginals(model, _posterior(model, seen, outer(*prior).ravel()))
    return _fixed_point(model, seen, prior, sweeps)


def joint_posterior(model: GenerativeModel, observations: Sequence[Observation], joint_prior: Real) -> Real:
    """Exact posterior `(joint states,)` by Bayes' rule, from a prior of the same shape.

    Observations that are impossible under the prior leave the belief that needs the least impossible.

    Raises:
        ModelError: An observation does not fit.
    """
    return _posterior(model, checked(model, observations), joint_prior)


def _posterior(model: GenerativeModel, observations: Sequence[Observation], joint_prior: Real) -> Real:
    evidence = _joint_evidence(model, observations, -np.inf)
    top = evidence.max()
    if top > -np.inf:
        weights = joint_prior * np.exp(evidence - top)
        total = weights.sum()
        if total > 0:
            return np.asarray(weights / total)
    return softmax(log(joint_prior) + _joint_evidence(model, observations, _LEAST_LOG))


def _joint_evidence(model: GenerativeModel, observations: Sequence[Observation], least: float) -> Real:
    """(joint states,) log-likelihood, not below `least` a modality; soft observations clip as ln A does."""
    hard = [
        row + observation
        for row, observation in zip(model.first_rows, observations, strict=True)
        if isinstance(observation, int)
    ]
    logs = model.joint_log_A.take(hard, axis=0)
    evidence = (logs if least == -np.inf else np.maximum(logs, least)).sum(axis=0)
    for row, observation in zip(model.first_rows, observations, strict=True):
        if observation is not None and not isinstance(observation, int):
            own = model.joint_log_A[row : row + len(observation)]
            evidence = evidence + observation @ np.maximum(own, _LEAST_LOG)
    return np.asarray(evidence)


def marginals(model: GenerativeModel, joint: Real) -> Beliefs:
    """Marginals `(..., S_f)` of every factor of joints `(..., joint states)`."""
    tensor = joint.reshape(*joint.shape[:-1], *model.num_states)
    axes = range(-len(model.num_states), 0)
    return tuple(tensor.sum(axis=tuple(g for g in axes if g != f)) for f in axes)


def predict_states(model: GenerativeModel, beliefs: Beliefs, action: Sequence[int]) -> Beliefs:
    """What is expected of each factor after an action `(factors,)`.

    Raises:
        ModelError: A control does not exist.
    """
    require_count("action", action, len(model.B))
    predicted = []
    for f, parents in enumerate(model.B_dependencies):
        control, controls = int(action[f]), model.num_controls[f]
        if not 0 <= control < controls:
            raise ModelError(f"action[{f}]: {control} is not in 0..{controls - 1}")
        if model.static[f]:
            predicted.append(beliefs[f])
            continue
        joint = beliefs[f] if parents == (f,) else outer(*(beliefs[d] for d in parents)).ravel()
        predicted.append((joint @ model.flat_B[f]).reshape(controls, -1)[control])
    return tuple(predicted)


def free_energy(
    model: GenerativeModel, observations: Sequence[Observation], prior: Beliefs, beliefs: Beliefs
) -> FreeEnergy:
    """Variational free energy of a posterior for one set of observations."""
    accuracy = 0.0
    for m, evidence in log_likelihoods(model, checked(model, observations)):
        accuracy += float(contract(evidence, dict(enumerate(beliefs[f] for f in model.A_dependencies[m]))))
    return FreeEnergy(
        neg_entropy=sum(float(q @ log(q)) for q in beliefs),
        prior_cross_entropy=-sum(float(q @ log(p)) for q, p in zip(beliefs, prior, strict=True)),
        accuracy=accuracy,
    )


def log_likelihoods(model: GenerativeModel, observations: Sequence[Observation]) -> list[tuple[int, Real]]:
    """(modality, ln P(o | s) over its factors) of each observed modality."""
    seen = []
    for m, observation in enumerate(observations):
        if observation is not None:
            log_a = model.log_A[m]
            seen.append(
                (
                    m,
                    log_a[observation]
                    if isinstance(observation, int)
                    else np.tensordot(observation, log_a, 1),
                )
            )
    return seen


def messages(model: GenerativeModel, evidence: Sequence[tuple[int, Real]], beliefs: Beliefs) -> list[Real]:
    """For each factor the expected log-likelihood under the beliefs about the others."""
    total = [np.zeros_like(q) for q in beliefs]
    for m, tensor in evidence:
        factors = model.A_dependencies[m]
        for axis, f in enumerate(factors):
            others = {i: beliefs[g] for i, g in enumerate(factors) if i != axis}
            total[f] = total[f] + contract(tensor, others)
    return total


def _fixed_point(
    model: GenerativeModel, observations: Sequence[Observation], prior: Beliefs, sweeps: int
) -> Beliefs:
    """Mean field by parallel sweeps from uniform beliefs (Parr, Pezzulo & Friston 2022, box 4.1)."""
    evidence = log_likelihoods(model, observations)
    log_prior = [log(p) for p in prior]
    beliefs: Beliefs = tuple(np.full(n, 1.0 / n) for n in model.num_states)
    for _ in range(1 if len(prior) == 1 else sweeps):
        incoming = messages(model, evidence, beliefs)
        beliefs = tuple(softmax(message + p) for message, p in zip(incoming, log_prior, strict=True))
    return beliefs


def checked(model: GenerativeModel, observations: Sequence[Observation]) -> list[Observation]:
    """The observations as plain indices, distributions or None.

    Raises:
        ModelError: One does not fit its modality.
    """
    require_count("observations", observations, len(model.A))
    return [_observation(model, m, observation) for m, observation in enumerate(observations)]


def _observation(model: GenerativeModel, m: int, observation: Observation) -> Observation:
    outcomes = model.num_obs[m]
    if observation is None:
        return None
    if isinstance(observation, int | np.integer):
        if not 0 <= observation < outcomes:
            raise ModelError(f"observations[{m}]: {observation} is not in 0..{outcomes - 1}")
        return int(observation)
    soft = np.asarray(observation, dtype=np.float64)
    if (
        soft.shape != (outcomes,)
        or not np.isfinite(soft).all()
        or (soft < 0).any()
        or abs(soft.sum() - 1) > TOLERANCE
    ):
        raise ModelError(f"observations[{m}]: a soft observation is a distribution of shape ({outcomes},)")
    return soft


def _require_prior(model: GenerativeModel, prior: Beliefs) -> None:
    require_count("prior", prior, len(model.B))
    for f, (p, states) in enumerate(zip(prior, model.num_states, strict=True)):
        if p.shape != (states,):
            raise ModelError(f"prior[{f}]: shape {p.shape}, but ({states},) is needed")
