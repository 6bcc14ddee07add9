"""Sequences of actions that are weighed, with what is held of them beforehand.

An action has one control for each factor. Policies are enumerated, or come from outside (a habit, a
planner, a language model): what comes from outside has a say through its prior alone, never through its
value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from emily_cognition.active_inference.errors import ModelError
from emily_cognition.active_inference.expected_free_energy import modality_groups
from emily_cognition.active_inference.model import GenerativeModel
from emily_cognition.active_inference.numerics import SMALLEST, Real
from emily_cognition.active_inference.prefix_tree import Index, PrefixTree

ENUMERATED_UP_TO = 65_536
"""Policies that may be listed; a longer horizon wants `search`."""

PROPOSED_UP_TO = 64
"""Policies that may be proposed at once."""


def construct_policies(num_controls: Sequence[int], policy_len: int = 1) -> Index:
    """Every policy, `(policies, policy_len, factors)`, the last factor of the last step varying fastest.

    Raises:
        ModelError: The length is below 1, or there are more than `ENUMERATED_UP_TO` policies.
    """
    if policy_len < 1:
        raise ModelError(f"policy_len: {policy_len} is below 1")
    digits = tuple(num_controls) * policy_len
    count = int(np.prod(digits, dtype=object))
    if count > ENUMERATED_UP_TO:
        raise ModelError(
            f"policy_len: {policy_len} steps are {count} policies, more than {ENUMERATED_UP_TO}; use search"
        )
    return np.stack(np.unravel_index(np.arange(count), digits), axis=1).reshape(count, policy_len, -1)


@dataclass(frozen=True, eq=False)
class Policies:
    """Policies of one length under one model's structure.

    Attributes:
        actions: (P, T, F) controls.
        prior: (P,) probabilities before evidence.
        tree: The predictions they share.
    """

    actions: Index
    prior: Real
    tree: PrefixTree

    @classmethod
    def of(cls, model: GenerativeModel, actions: ArrayLike, prior: ArrayLike | None = None) -> Policies:
        """These policies, equally likely or as the prior says.

        Raises:
            ModelError: An action is not a whole number, a control does not exist, or the prior does not fit.
        """
        given = np.asarray(actions)
        factors = len(model.B)
        if given.ndim != 3 or given.shape[2] != factors or 0 in given.shape:
            raise ModelError(f"policies: shape {given.shape}, but (policies, steps, {factors}) is needed")
        if not np.issubdtype(given.dtype, np.integer):
            raise ModelError(f"policies: controls are whole numbers, not {given.dtype}")
        wrong = np.argwhere((given < 0) | (given >= np.array(model.num_controls)))
        if len(wrong):
            p, t, f = wrong[0]
            raise ModelError(
                f"policies[{p}, {t}, {f}]: {given[p, t, f]} is not in 0..{model.num_controls[f] - 1}"
            )
        weights = np.ones(len(given)) if prior is None else np.asarray(prior, dtype=np.float64)
        if weights.shape != (len(given),) or not (weights >= 0).all() or not 0 < weights.sum() < np.inf:
            raise ModelError(f"prior: {len(given)} weights of 0 or more, not all 0, are needed")
        own = given.astype(np.intp)
        return cls(own, weights / weights.sum(), PrefixTree.grow(model, own, modality_groups(model)))

    @classmethod
    def enumerated(cls, model: GenerativeModel, policy_len: int = 1) -> Policies:
        """Every policy of a length, with the model's E as prior.

        Raises:
            ModelError: There are too many, or E is of another number.
        """
        return cls.of(model, construct_policies(model.num_controls, policy_len), model.E)

    def with_proposals(
        self, model: GenerativeModel, proposals: ArrayLike, weights: ArrayLike, *, share: float
    ) -> Policies:
        """These policies and some from outside, which get a share of the prior by their weights.

        A proposal that is known already adds to that policy's prior. All are weighed alike: a proposal has no
        value of its own.

        Raises:
            ModelError: The share is not between 0 and 1, there are more than `PROPOSED_UP_TO`, or one does
                not fit.
        """
        if not 0 < share < 1:
            raise ModelError(f"share: {share} is not between 0 and 1")
        proposed = Policies.of(model, proposals, weights)
        if len(proposed.actions) > PROPOSED_UP_TO:
            raise ModelError(f"proposals: {len(proposed.actions)} are more than {PROPOSED_UP_TO}")
        if proposed.actions.shape[1:] != self.actions.shape[1:]:
            raise ModelError(f"proposals: of {proposed.actions.shape[1]} steps, not {self.actions.shape[1]}")
        prior = {
            policy.tobytes(): (1 - share) * p for policy, p in zip(self.actions, self.prior, strict=True)
        }
        rows = {policy.tobytes(): policy for policy in (*self.actions, *proposed.actions)}
        for policy, p in zip(proposed.actions, proposed.prior, strict=True):
            prior[policy.tobytes()] = prior.get(policy.tobytes(), 0.0) + share * p
        return Policies.of(model, np.stack(list(rows.values())), list(prior.values()))

    @cached_property
    def log_prior(self) -> Real:
        """(P,) nats, clipped below."""
        return np.asarray(np.log(np.maximum(self.prior, SMALLEST)))
