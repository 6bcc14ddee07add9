"""Policies as a prefix tree: what begins alike is evaluated once.

A policy is `(T, factors)` controls; a set of policies `(policies, T, factors)`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emily_cognition.active_inference.errors import ModelError
from emily_cognition.active_inference.numerics import Real

Controls = NDArray[np.int64]
MOST_EXTERNAL = 256


@dataclass(frozen=True, eq=False)
class Depth:
    """The distinct prefixes of one length.

    Attributes:
        parent: `(nodes,)` index of each prefix's own prefix in the depth before.
        controls: `(nodes, factors)` last controls.
    """

    parent: NDArray[np.int64]
    controls: Controls


@dataclass(frozen=True, eq=False)
class PolicyTree:
    """A set of policies, their prior, and their prefixes.

    Attributes:
        policies: `(policies, T, factors)`.
        prior: `(policies,)` probabilities.
        depths: One for each step.
        nodes: `(policies, T)`: the prefix that each policy passes at each step.
    """

    policies: Controls
    prior: Real
    depths: tuple[Depth, ...]
    nodes: NDArray[np.int64]

    @classmethod
    def create(
        cls, policies: ArrayLike, num_controls: Sequence[int], prior: ArrayLike | None = None
    ) -> PolicyTree:
        """The tree of a set of policies; the prior is uniform by default.

        Raises:
            ModelError: A control is out of range, or the prior is not one over the policies.
        """
        controls = np.asarray(policies, dtype=np.int64)
        if controls.ndim != 3 or controls.shape[2] != len(num_controls) or not controls.size:
            raise ModelError(
                f"policies: shape {controls.shape}, but (policies, steps, {len(num_controls)}) is needed"
            )
        wrong = (controls < 0) | (controls >= np.asarray(num_controls))
        if wrong.any():
            where = [int(i) for i in np.argwhere(wrong)[0]]
            raise ModelError(
                f"policies{where}: control {controls[tuple(where)]} is not in 0..{num_controls[where[2]] - 1}"
            )
        weights = (
            np.full(len(controls), 1 / len(controls))
            if prior is None
            else np.asarray(prior, dtype=np.float64)
        )
        if weights.shape != (len(controls),) or (weights < 0).any() or abs(weights.sum() - 1) > 1e-6:
            raise ModelError(f"E: a distribution over {len(controls)} policies is needed")
        return cls(controls, weights, *_prefixes(controls))

    def with_proposals(self, proposals: ArrayLike, weight: float, num_controls: Sequence[int]) -> PolicyTree:
        """The tree with policies from outside, such as a language model's, given a share of the prior.

        Proposals are deduplicated, capped at 256, and scored like all others; known ones only gain prior.

        Raises:
            ModelError: A proposal does not fit, or the weight is not in (0, 1).
        """
        if not 0 < weight < 1:
            raise ModelError(f"weight: {weight} is not in (0, 1)")
        given = PolicyTree.create(proposals, num_controls).policies
        if given.shape[1] != self.policies.shape[1]:
            raise ModelError(
                f"proposals: {given.shape[1]} steps long, the other policies {self.policies.shape[1]}"
            )
        distinct = np.unique(given, axis=0)[:MOST_EXTERNAL]
        known = {policy.tobytes(): i for i, policy in enumerate(self.policies)}
        prior = (1 - weight) * self.prior
        fresh = [policy for policy in distinct if policy.tobytes() not in known]
        share = weight / len(distinct)
        prior = np.concatenate([prior, np.full(len(fresh), share)])
        for policy in distinct:
            if policy.tobytes() in known:
                prior[known[policy.tobytes()]] += share
        controls = np.concatenate(
            [self.policies, np.array(fresh, dtype=np.int64).reshape(-1, *given.shape[1:])]
        )
        return PolicyTree.create(controls, num_controls, prior / prior.sum())


def construct_policies(
    num_controls: Sequence[int], policy_len: int, controllable: Sequence[int] | None = None
) -> Controls:
    """Every sequence of controls of a length, first step varying slowest.

    Args:
        num_controls: Of each factor.
        policy_len: Steps.
        controllable: Factors whose controls vary; the others keep control 0. All by default.
    """
    if policy_len < 1:
        raise ModelError(f"policy_len: {policy_len} is below 1")
    chosen = range(len(num_controls)) if controllable is None else controllable
    options = [range(count) if f in chosen else range(1) for f, count in enumerate(num_controls)]
    steps = list(itertools.product(*options))
    return np.array(list(itertools.product(steps, repeat=policy_len)), dtype=np.int64)


def _prefixes(policies: Controls) -> tuple[tuple[Depth, ...], NDArray[np.int64]]:
    nodes = np.zeros((len(policies), policies.shape[1]), dtype=np.int64)
    depths = []
    before = np.zeros(len(policies), dtype=np.int64)
    for t in range(policies.shape[1]):
        keyed = np.column_stack([before, policies[:, t]])
        distinct, node = np.unique(keyed, axis=0, return_inverse=True)
        depths.append(Depth(parent=distinct[:, 0], controls=distinct[:, 1:]))
        before = nodes[:, t] = node.reshape(-1)
    return tuple(depths), nodes
