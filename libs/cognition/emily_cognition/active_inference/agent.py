"""An agent as pure functions of its state: perceive, weigh policies, act, expect.

    state = agent.initial()
    state, step = agent.step(state, observations, rng)

or call by call, with pymdp's names: `infer_states`, `infer_policies`, `sample_action`,
`update_empirical_prior`, `infer_parameters`. What is carried from step to step is one distribution a factor
(marginals, as in pymdp).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np

from emily_cognition.active_inference.errors import ModelError
from emily_cognition.active_inference.expected_free_energy import ExpectedFreeEnergy, PolicyReport
from emily_cognition.active_inference.inductive import Intention
from emily_cognition.active_inference.learning import ONCE, Rate, update_A, update_B
from emily_cognition.active_inference.model import GenerativeModel
from emily_cognition.active_inference.numerics import Real, softmax
from emily_cognition.active_inference.policies import Policies
from emily_cognition.active_inference.search import Search
from emily_cognition.active_inference.states import (
    Beliefs,
    InferenceAlgorithm,
    Observation,
    infer_states,
    predict_states,
)

LISTED_UP_TO = 1024
"""Policies that `Agent.planning` lists; beyond, it searches."""

TIE = 1e-9
"""Probabilities this near to the largest, relative to it, are as good."""


@dataclass(frozen=True, kw_only=True)
class AgentState:
    """What an agent carries from step to step, in plain values that serialise.

    Attributes:
        prior: What is expected of each factor before the next observation.
        gamma: Precision of policies.
    """

    prior: tuple[tuple[float, ...], ...]
    gamma: float = 1.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Step:
    """What an agent concluded from one set of observations.

    Attributes:
        qs: Posterior `(S_f,)` of each factor.
        q_pi: (P,) probabilities of policies.
        neg_efe: (P,) negative expected free energy in nats.
        action: One control a factor.
    """

    qs: Beliefs
    q_pi: Real
    neg_efe: Real
    action: tuple[int, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Agent:
    """A model, the policies it weighs and how it chooses.

    Attributes:
        model: What it believes about the world.
        policies: What it may do; single actions, when it searches.
        search: Weighs those actions to a horizon, or none.
        gamma: Precision of policies it starts with.
        inference_algo: `exact`, `fpi`, or by the model's size.
        action_selection: The likeliest, or drawn.
        sampling_mode: A whole policy is chosen, or each factor's control on its own.
        alpha: Inverse temperature of drawing.
        use_param_info_gain: Whether what would be learned about pA and pB counts.
        intention: A goal for inductive planning, or none.
    """

    model: GenerativeModel
    policies: Policies
    search: Search | None = None
    gamma: float = 1.0
    inference_algo: InferenceAlgorithm | None = None
    action_selection: Literal["deterministic", "stochastic"] = "deterministic"
    sampling_mode: Literal["full", "marginal"] = "full"
    alpha: float = 16.0
    use_param_info_gain: bool = False
    intention: Intention | None = None

    def __post_init__(self) -> None:
        if self.search is not None and (self.use_param_info_gain or self.intention is not None):
            raise ModelError("search: weighs neither what parameters would teach nor an intention")

    @classmethod
    def planning(cls, model: GenerativeModel, horizon: int, **choices: Any) -> Self:
        """An agent that looks some steps ahead: by the list of policies, or by search when it would be long.

        Args:
            model: What it believes about the world; its E is over the policies that are listed, or over
                single actions when it searches.
            horizon: Steps, 1 or more.
            choices: Other attributes of the agent.

        Raises:
            ModelError: The model does not fit the way that is taken.
        """
        if math.prod(model.num_controls) ** max(horizon, 1) <= LISTED_UP_TO:
            return cls(model=model, policies=Policies.enumerated(model, horizon), **choices)
        search = Search(model=model, horizon=horizon)
        return cls(model=model, policies=Policies.enumerated(model), search=search, **choices)

    def initial(self) -> AgentState:
        """The state before anything was observed."""
        return AgentState(prior=_plain(self.model.D), gamma=self.gamma)

    def step(
        self, state: AgentState, observations: Sequence[Observation], rng: np.random.Generator
    ) -> tuple[AgentState, Step]:
        """The state after observations and what was concluded.

        Raises:
            ModelError: An observation does not fit.
        """
        qs = self.infer_states(observations, tuple(map(np.array, state.prior)))
        q_pi, neg_efe = self.infer_policies(qs, gamma=state.gamma)
        action = self.sample_action(q_pi, rng)
        expected = self.update_empirical_prior(action, qs)
        return replace(state, prior=_plain(expected)), Step(qs=qs, q_pi=q_pi, neg_efe=neg_efe, action=action)

    def infer_states(self, observations: Sequence[Observation], empirical_prior: Beliefs) -> Beliefs:
        """Posterior `(S_f,)` of each factor; an observation of None is masked.

        Raises:
            ModelError: An observation or the prior does not fit.
        """
        return infer_states(self.model, observations, empirical_prior, inference_algo=self.inference_algo)

    def infer_policies(self, qs: Beliefs, *, gamma: float | None = None) -> tuple[Real, Real]:
        """(P,) probabilities of policies, softmax(gamma neg_efe + ln E), and (P,) neg_efe in nats.

        When it searches: of actions, to the horizon; those not followed have probability 0 and -inf nats.
        """
        precision = self.gamma if gamma is None else gamma
        if self.search is not None:
            plan = self.search.plan(qs, gamma=precision)
            return plan.q_pi, plan.neg_efe
        neg_efe = self._expected.neg_efe(qs)
        return softmax(precision * neg_efe + self.policies.log_prior), neg_efe

    def report(self, qs: Beliefs) -> PolicyReport:
        """Every term of the policies' expected free energy, over their own steps."""
        return self._expected.report(qs)

    def action_marginals(self, q_pi: Real) -> Beliefs:
        """(U_f,) probabilities of each factor's next control."""
        first = self.policies.actions[:, 0]
        return tuple(
            np.bincount(first[:, f], weights=q_pi, minlength=controls)
            for f, controls in enumerate(self.model.num_controls)
        )

    def sample_action(self, q_pi: Real, rng: np.random.Generator) -> tuple[int, ...]:
        """One control a factor; what is equally good is drawn from, each factor on its own in `marginal`."""
        if self.sampling_mode == "marginal":
            return tuple(self._pick(p, rng) for p in self.action_marginals(q_pi))
        return tuple(self.policies.actions[self._pick(q_pi, rng), 0].tolist())

    def update_empirical_prior(self, action: Sequence[int], qs: Beliefs) -> Beliefs:
        """What is expected of each factor after an action."""
        return predict_states(self.model, qs, action)

    def infer_parameters(
        self,
        rows: Sequence[Sequence[Observation]],
        beliefs: Beliefs,
        actions: Sequence[Sequence[int]],
        *,
        rate_A: Rate = ONCE,
        rate_B: Rate = ONCE,
    ) -> Agent:
        """The agent after learning pA and pB, where it has them, from a sequence.

        Args:
            rows: T rows of observations.
            beliefs: (T, S_f) a factor.
            actions: The T-1 actions between.
            rate_A: Of pA.
            rate_B: Of pB.

        Raises:
            ModelError: Something does not fit.
        """
        model = self.model
        if model.pA is not None:
            model = update_A(model, rows, beliefs, rate_A)
        if model.pB is not None:
            model = update_B(model, beliefs, actions, rate_B)
        return replace(self, model=model)

    def _pick(self, probabilities: Real, rng: np.random.Generator) -> int:
        if self.action_selection == "stochastic":
            weights = (probabilities / probabilities.max()) ** self.alpha
            edges = weights.cumsum()
            return int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))
        best = np.flatnonzero(probabilities >= probabilities.max() * (1 - TIE))
        return int(best[0] if len(best) == 1 else best[rng.integers(len(best))])

    @cached_property
    def _expected(self) -> ExpectedFreeEnergy:
        return ExpectedFreeEnergy(
            self.model,
            self.policies.tree,
            use_param_info_gain=self.use_param_info_gain,
            intention=self.intention,
        )


def _plain(beliefs: Beliefs) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(q.tolist()) for q in beliefs)
