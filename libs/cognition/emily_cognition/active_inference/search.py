"""Sophisticated search: what to do, given what one will have learned by then (Friston et al. 2021).

    V(a | q) = neg_efe(a | q) + E_q(o | a)[ sum_a' p(a' | q_o) V(a' | q_o) ],   p = softmax(gamma V + ln E)

to a horizon, where q_o is the belief after outcome o. Actions and outcomes that are unlikely against the
likeliest are not followed; a width bounds the work whatever the model. Policies are then plans that depend on
what is seen, where an enumeration of action sequences would grow beyond bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from emily_cognition.active_inference.errors import ModelError
from emily_cognition.active_inference.expected_free_energy import ExpectedFreeEnergy
from emily_cognition.active_inference.model import GenerativeModel
from emily_cognition.active_inference.numerics import Real, outer, softmax
from emily_cognition.active_inference.policies import Policies
from emily_cognition.active_inference.prefix_tree import Index
from emily_cognition.active_inference.states import EXACT_UP_TO, Beliefs, marginals, predict_states


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """What is not followed.

    Attributes:
        action: Least probability against that of the likeliest action.
        outcome: Least probability against that of the likeliest outcome.
        width: Most actions, and most outcomes of each, followed from a belief.
    """

    action: float = 1 / 16
    outcome: float = 1 / 16
    width: int = 4

    def __post_init__(self) -> None:
        if not (0 <= self.action <= 1 and 0 <= self.outcome <= 1 and self.width >= 1):
            raise ModelError(f"pruning: {self} needs probabilities in 0..1 and a width of 1 or more")

    def kept(self, probabilities: Real, least: float) -> Real:
        """Probabilities, normalised, with those that are not followed set to 0."""
        enough = probabilities >= least * probabilities.max()
        if self.width < len(probabilities):
            likeliest = np.argsort(-probabilities, kind="stable")[: self.width]
            among = np.zeros(len(probabilities), dtype=np.bool)
            among[likeliest] = True
            enough &= among
        kept = np.where(enough, probabilities, 0.0)
        return np.asarray(kept / kept.sum())


@dataclass(frozen=True, eq=False)
class Plan:
    """What a search found.

    Attributes:
        actions: (N, F) every action.
        q_pi: (N,) probabilities; 0 for actions that were not followed.
        neg_efe: (N,) nats to the horizon; -inf for actions that were not followed.
        beliefs_weighed: Of the search.
    """

    actions: Index
    q_pi: Real
    neg_efe: Real
    beliefs_weighed: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Search:
    """A search to a horizon under a model.

    Attributes:
        model: Of at most `EXACT_UP_TO` joint states.
        horizon: Steps, 1 or more.
        pruning: What is not followed.
    """

    model: GenerativeModel
    horizon: int
    pruning: Pruning = Pruning()

    def __post_init__(self) -> None:
        if self.horizon < 1:
            raise ModelError(f"horizon: {self.horizon} is below 1")
        if self.model.joint_states > EXACT_UP_TO:
            raise ModelError(f"model: {self.model.joint_states} joint states, but search takes {EXACT_UP_TO}")
        if any(c.ndim == 2 for c in self.model.C):
            raise ModelError("C: search takes preferences `(O_m,)` that stay over time")

    def plan(self, beliefs: Beliefs, *, gamma: float = 1.0) -> Plan:
        """The actions, weighed to the horizon.

        Args:
            beliefs: One distribution `(S_f,)` a factor.
            gamma: Precision of the actions, now and those that are expected of oneself later.
        """
        (value,), weighed = self._weigh(tuple(q[None] for q in beliefs), self.horizon, gamma)
        return Plan(self._policies.actions[:, 0], self._choice(value, gamma), value, weighed)

    def _weigh(self, beliefs: Beliefs, steps: int, gamma: float) -> tuple[Real, int]:
        """(N, actions) values to the horizon from beliefs `(N, S_f)`, and how many beliefs that took."""
        values = self._step.neg_efe(beliefs)
        weighed = len(values)
        if steps == 1:
            return values, weighed
        for row, value in enumerate(values):
            followed = self.pruning.kept(self._choice(value, gamma), self.pruning.action) > 0
            value[~followed] = -np.inf
            now = tuple(q[row] for q in beliefs)
            for action in np.flatnonzero(followed):
                predicted = predict_states(self.model, now, self._policies.actions[action, 0])
                probabilities, posteriors = self._outcomes(outer(*predicted).ravel())
                later, count = self._weigh(marginals(self.model, posteriors), steps - 1, gamma)
                reachable = np.where(np.isfinite(later), later, 0.0)
                value[action] += probabilities @ (self._choice(later, gamma) * reachable).sum(axis=1)
                weighed += count
        return values, weighed

    def _choice(self, value: Real, gamma: float) -> Real:
        return softmax(gamma * value + self._policies.log_prior)

    def _outcomes(self, joint: Real) -> tuple[Real, Real]:
        """(K,) probabilities of the joint outcomes that are followed, and posteriors `(K, joint states)`."""
        together = joint[None]
        for likelihood in self.model.joint_A:
            every = (together[:, None] * likelihood).reshape(-1, len(joint))
            kept = self.pruning.kept(every.sum(axis=1), self.pruning.outcome)
            together = every[kept > 0]
        probabilities = together.sum(axis=1)
        return probabilities / probabilities.sum(), together / probabilities[:, None]

    @cached_property
    def _policies(self) -> Policies:
        return Policies.enumerated(self.model)

    @cached_property
    def _step(self) -> ExpectedFreeEnergy:
        return ExpectedFreeEnergy(self.model, self._policies.tree)
