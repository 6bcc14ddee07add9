"""Sophisticated inference: a tree over actions and what they would let us see (Friston et al. 2021).

    G(a) = g(a) + sum over o of q(o | a) sum over a' of q(a' | o) G(a')        q(a' | o) = softmax(gamma G)

Unlikely outcomes and hopeless actions are pruned, and the number of nodes is bounded, so that spaces of
policies that could not be listed can be searched.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emily_cognition.active_inference.errors import ModelError
from emily_cognition.active_inference.expected_free_energy import (
    Terms,
    negative_expected_free_energy,
    policy_posterior,
)
from emily_cognition.active_inference.model import GenerativeModel
from emily_cognition.active_inference.numerics import Real
from emily_cognition.active_inference.policies import PolicyTree, construct_policies
from emily_cognition.active_inference.states import Beliefs, infer_states, predict_states


@dataclass(frozen=True)
class Pruning:
    """When to stop looking.

    Attributes:
        outcome: Outcomes of lower probability are not followed.
        action: Actions of lower posterior probability, by their immediate score, are not followed.
        nodes: Most beliefs that are expanded; the rest keep their immediate score.
    """

    outcome: float = 1 / 16
    action: float = 1 / 16
    nodes: int = 2000


@dataclass(frozen=True, eq=False)
class SearchResult:
    """What the search found.

    Attributes:
        actions: `(actions, factors)`.
        neg_efe: `(actions,)`, of each first action and the best that can follow.
        q_action: `(actions,)`.
        nodes: Beliefs that were expanded.
        complete: Whether the bound on nodes was never met.
    """

    actions: NDArray[np.int64]
    neg_efe: Real
    q_action: Real
    nodes: int
    complete: bool


def search(
    model: GenerativeModel,
    beliefs: Beliefs,
    horizon: int,
    *,
    gamma: float = 16.0,
    terms: Terms = Terms(),  # noqa: B008 - frozen
    pruning: Pruning = Pruning(),
    controllable: Sequence[int] | None = None,
) -> SearchResult:
    """Value of every next action, looking `horizon` steps ahead.

    Raises:
        ModelError: The horizon is below 1.
    """
    if horizon < 1:
        raise ModelError(f"horizon: {horizon} is below 1")
    steps = construct_policies(model.num_controls, 1, controllable)
    tree = PolicyTree.create(steps, model.num_controls)
    searcher = _Search(model, tree, gamma, terms, pruning)
    values = searcher.values(beliefs, horizon)
    return SearchResult(
        actions=steps[:, 0],
        neg_efe=values,
        q_action=policy_posterior(values, tree.prior, gamma),
        nodes=searcher.expanded,
        complete=searcher.expanded < pruning.nodes,
    )


class _Search:
    def __init__(
        self, model: GenerativeModel, tree: PolicyTree, gamma: float, terms: Terms, pruning: Pruning
    ) -> None:
        self._model = model
        self._tree = tree
        self._gamma = gamma
        self._terms = terms
        self._pruning = pruning
        self.expanded = 0

    def values(self, beliefs: Beliefs, horizon: int) -> Real:
        self.expanded += 1
        values = negative_expected_free_energy(self._model, beliefs, self._tree, self._terms)
        if horizon == 1 or self.expanded >= self._pruning.nodes:
            return values
        worth = policy_posterior(values, self._tree.prior, self._gamma)
        for i in np.argsort(-worth, kind="stable"):
            if worth[i] >= self._pruning.action:
                values[i] += self._future(
                    predict_states(self._model, beliefs, self._tree.policies[i, 0]), horizon
                )
        return values

    def _future(self, predicted: Beliefs, horizon: int) -> float:
        total = weight = 0.0
        for outcome, probability in self._outcomes(predicted):
            if self.expanded >= self._pruning.nodes:
                break
            posterior = infer_states(self._model, outcome, predicted)
            values = self.values(posterior, horizon - 1)
            total += probability * float(policy_posterior(values, self._tree.prior, self._gamma) @ values)
            weight += probability
        return total / weight if weight > 0 else 0.0

    def _outcomes(self, predicted: Beliefs) -> list[tuple[tuple[int, ...], float]]:
        """Joint outcomes that are likely enough, likeliest first."""
        options: list[list[tuple[int, float]]] = []
        for group in self._model.groups:
            joint = predicted[group.factors[0]]
            for f in group.factors[1:]:
                joint = np.multiply.outer(joint, predicted[f]).ravel()
            for rows, m in zip(group.rows, group.modalities, strict=True):
                chances = group.stacked[rows] @ joint
                while len(options) <= m:
                    options.append([])
                options[m] = [(o, float(p)) for o, p in enumerate(chances) if p >= self._pruning.outcome]
        joined = [
            (tuple(o for o, _ in pick), float(np.prod([p for _, p in pick])))
            for pick in itertools.product(*options)
        ]
        likely = [pair for pair in joined if pair[1] >= self._pruning.outcome]
        return sorted(likely or joined[:1], key=lambda pair: (-pair[1], pair[0]))
