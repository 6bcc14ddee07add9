"""The perception-action loop with pymdp's names; everything is a function of values.

agent = Agent(model, policy_len=2)
beliefs = agent.infer_states(observations, prior)
q_pi, neg_efe = agent.infer_policies(beliefs)
action = agent.sample_action(q_pi, rng)
prior = agent.update_empirical_prior(action, beliefs)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from emily_cognition.active_inference import learning
from emily_cognition.active_inference.expected_free_energy import (
    PolicyReport,
    Terms,
    decompose,
    negative_expected_free_energy,
    policy_posterior,
)
from emily_cognition.active_inference.model import GenerativeModel
from emily_cognition.active_inference.numerics import Real, log, softmax
from emily_cognition.active_inference.policies import PolicyTree, construct_policies
from emily_cognition.active_inference.search import SearchResult, search
from emily_cognition.active_inference.sequence import Actions, Rows
from emily_cognition.active_inference.states import Beliefs, Observation, infer_states, predict_states

LISTED_UP_TO = 1000
"""Policies up to which they are listed; beyond, `plan` searches a tree."""

TIE = 1e-9
"""Values closer than this are tied."""

Selection = Literal["deterministic", "stochastic"]
Sampling = Literal["full", "marginal"]


@dataclass(frozen=True, eq=False)
class Agent:
    """A model and how it is used.

    Attributes:
        model: The generative model.
        policy_len: Steps of a policy.
        gamma: Precision of policies.
        terms: Of expected free energy.
        inference_algo: `exact`, `fpi`, or by size.
        policies: A given set; every sequence of controls by default.
        alpha: Precision of a stochastic choice of action.
    """

    model: GenerativeModel
    policy_len: int = 1
    gamma: float = 1.0
    terms: Terms = field(default_factory=Terms)
    inference_algo: str | None = None
    policies: PolicyTree | None = None
    alpha: float = 1.0

    @cached_property
    def tree(self) -> PolicyTree:
        """The policies that are weighed."""
        if self.policies is not None:
            return self.policies
        controls = construct_policies(self.model.num_controls, self.policy_len)
        return PolicyTree.create(controls, self.model.num_controls, self.model.E)

    def infer_states(self, observations: Sequence[Observation], prior: Beliefs | None = None) -> Beliefs:
        """Posterior marginals; the prior is D by default."""
        return infer_states(
            self.model,
            observations,
            self.model.D if prior is None else prior,
            inference_algo=self.inference_algo,
        )

    def infer_policies(self, beliefs: Beliefs) -> tuple[Real, Real]:
        """(q_pi, neg_efe), each `(policies,)`."""
        neg_efe = negative_expected_free_energy(self.model, beliefs, self.tree, self.terms)
        return policy_posterior(neg_efe, self.tree.prior, self.gamma), neg_efe

    def report(self, beliefs: Beliefs) -> PolicyReport:
        """Every term of every policy."""
        return decompose(self.model, beliefs, self.tree, self.terms)

    def plan(self, beliefs: Beliefs) -> SearchResult:
        """A search as deep as the policies are long, for more policies than can be listed."""
        return search(self.model, beliefs, self.policy_len, gamma=self.gamma, terms=self.terms)

    @property
    def listable(self) -> bool:
        """Whether the policies are few enough to be listed."""
        return float(np.prod(self.model.num_controls, dtype=float)) ** self.policy_len <= LISTED_UP_TO

    def action_marginals(self, q_pi: Real) -> tuple[Real, ...]:
        """Probability of each control as the first action, one `(U_f,)` a factor."""
        first = self.tree.policies[:, 0]
        return tuple(
            np.bincount(first[:, f], weights=q_pi, minlength=count)
            for f, count in enumerate(self.model.num_controls)
        )

    def sample_action(
        self,
        q_pi: Real,
        rng: np.random.Generator,
        *,
        selection: Selection = "deterministic",
        sampling: Sampling = "full",
    ) -> tuple[int, ...]:
        """The next action.

        Args:
            q_pi: `(policies,)`.
            rng: Breaks ties and draws; the same stream gives the same action.
            selection: The best, ties broken at random, or a draw sharpened by alpha.
            sampling: A whole policy's first action, or each factor's control independently by its marginal.
        """
        if sampling == "full":
            chosen = _choose(q_pi, rng, selection, self.alpha)
            return tuple(int(u) for u in self.tree.policies[chosen, 0])
        return tuple(_choose(m, rng, selection, self.alpha) for m in self.action_marginals(q_pi))

    def update_empirical_prior(self, action: Sequence[int], beliefs: Beliefs) -> Beliefs:
        """The prior of the next moment."""
        return predict_states(self.model, beliefs, action)

    def infer_parameters(
        self, rows: Rows, actions: Actions, beliefs: Beliefs, *, rate: float = 1.0, forgetting: float = 0.0
    ) -> Agent:
        """The agent after learning A, B and D, as far as its model has counts, from `(T, S_f)` beliefs."""
        model = self.model
        if model.pA is not None:
            counts = learning.update_A(model, rows, beliefs, rate=rate, forgetting=forgetting)
            model = replace(model, pA=counts, A=tuple(map(learning.expected, counts)))
        if model.pB is not None:
            counts = learning.update_B(model, actions, beliefs, rate=rate, forgetting=forgetting)
            model = replace(model, pB=counts, B=tuple(map(learning.expected, counts)))
        if model.pD is not None:
            first = tuple(q[0] for q in beliefs)
            counts = learning.update_D(model, first, rate=rate, forgetting=forgetting)
            model = replace(model, pD=counts, D=tuple(map(learning.expected, counts)))
        return replace(self, model=model, policies=self.tree)


def _choose(probabilities: Real, rng: np.random.Generator, selection: Selection, alpha: float) -> int:
    if selection == "deterministic":
        tied: NDArray[np.intp] = np.flatnonzero(probabilities >= probabilities.max() - TIE)
        return int(tied[0]) if len(tied) == 1 else int(rng.choice(tied))
    sharpened = softmax(alpha * log(probabilities))
    return int(rng.choice(len(sharpened), p=sharpened))
