"""Expected free energy of policies, as one number each or term by term.

For a step with predicted beliefs q(s) and outcomes q(o) = E_q(s)[P(o | s)], each modality adds to
neg_efe = -G

    utility          E_q(o)[C]                          C in nats, not normalised
    state_info_gain  H[q(o)] - E_q(s)[H[P(o | s)]]      mutual information of states and outcomes
    novelty_A        about pA                           (Da Costa et al. 2020, eq. D.15)

and each factor novelty_B about pB, each step the inductive value. The same number is, up to a constant,
-(risk + ambiguity): sum(risk + ambiguity) = -sum(utility + state_info_gain) + sum of logsumexp(C), where
risk = KL[q(o) || softmax(C)] and ambiguity = E_q(s)[H[P(o | s)]] (Parr, Pezzulo & Friston 2022, eq. 2.6).
The observation at hand is not part of it: the first step is the next one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from emily_cognition.active_inference.errors import ModelError
from emily_cognition.active_inference.inductive import Intention
from emily_cognition.active_inference.model import Arrays, GenerativeModel, by_control, spread
from emily_cognition.active_inference.numerics import (
    SMALLEST,
    Real,
    dirichlet_novelty,
    entropy,
    log,
    log_sum_exp,
)
from emily_cognition.active_inference.prefix_tree import Branch, Depth, Index, PrefixTree


@dataclass(frozen=True, eq=False)
class PolicyReport:
    """The terms of expected free energy in nats; P policies, T steps, M modalities, F factors.

    Attributes:
        risk: (P, T, M) divergence of predicted from preferred outcomes.
        ambiguity: (P, T, M) expected entropy of outcomes given states; a cost.
        utility: (P, T, M) expected log-preference.
        state_info_gain: (P, T, M) what outcomes are expected to tell about states.
        novelty_A: (P, T, M) what outcomes are expected to tell about pA.
        novelty_B: (P, T, F) what transitions are expected to tell about pB.
        inductive: (P, T) at most 0: the cost of steps that lose the intended state.
    """

    risk: Real
    ambiguity: Real
    utility: Real
    state_info_gain: Real
    novelty_A: Real
    novelty_B: Real
    inductive: Real

    @property
    def param_info_gain(self) -> Real:
        """(P, T) what a step is expected to tell about the parameters."""
        return np.asarray(self.novelty_A.sum(axis=2) + self.novelty_B.sum(axis=2))

    @property
    def neg_efe(self) -> Real:
        """(P,) negative expected free energy."""
        gained = (self.utility + self.state_info_gain).sum(axis=2)
        return np.asarray((gained + self.param_info_gain + self.inductive).sum(axis=1))


@dataclass(frozen=True, eq=False)
class ExpectedFreeEnergy:
    """The expected free energy of a tree of policies under a model.

    Attributes:
        model: Its arrays are laid out for the tree on first use.
        tree: From `grow`, with `modality_groups(model)` as combinations.
        use_param_info_gain: Whether what is learned about pA and pB counts.
        intention: A goal to plan for, or none.

    Raises:
        ModelError: C is given for fewer steps than policies have, or there is nothing to learn.
    """

    model: GenerativeModel
    tree: PrefixTree
    use_param_info_gain: bool = False
    intention: Intention | None = None

    def __post_init__(self) -> None:
        steps = len(self.tree.depths)
        for m, c in enumerate(self.model.C):
            if c.ndim == 2 and len(c) < steps:
                raise ModelError(f"C[{m}]: preferences for {len(c)} steps, but policies have {steps}")
        if self.use_param_info_gain and self.model.pA is None and self.model.pB is None:
            raise ModelError("use_param_info_gain: needs pA, pB or both; the model has neither")

    def neg_efe(self, beliefs: Sequence[Real]) -> Real:
        """(..., P) negative expected free energy, from distributions `(..., S_f)` of each factor.

        Many beliefs at once are taken where neither parameters nor an intention count.
        """
        if self.use_param_info_gain or self.intention is not None:
            return self.report(beliefs).neg_efe
        total: Real | float = 0.0
        now = tuple(q[..., None, :] for q in beliefs)
        for t, depth in enumerate(self.tree.depths):
            now = self._step(depth.branches, now, self.model.flat_B)
            for g, leaf in enumerate(depth.leaves):
                factors = self.tree.combinations[g]
                tensors = self._value_tensors[g]
                both = _contract(tensors[t % len(tensors)], [now[f] for f in factors], leaf.rows)
                outcomes = both[..., :-1]
                logs = np.log(np.maximum(outcomes, SMALLEST))
                value = both[..., -1] - np.einsum("...o,...o->...", outcomes, logs)
                total = total + value.take(leaf.index, axis=-1)
        return np.asarray(total)

    def report(self, beliefs: Sequence[Real]) -> PolicyReport:
        """Every term, from one distribution `(S_f,)` a factor."""
        policies, steps = len(self.tree.depths[0].leaves[0].index), len(self.tree.depths)
        modalities, factors = len(self.model.A), len(self.model.B)
        utility, ambiguity, uncertainty, novelty_A = np.zeros((4, policies, steps, modalities))
        constant = np.zeros((steps, modalities))
        novelty_B, inductive = np.zeros((policies, steps, factors)), np.zeros((policies, steps))
        histories: tuple[Index, ...] = (np.zeros(policies, dtype=np.intp),) * factors
        now = tuple(q[None] for q in beliefs)
        for t, depth in enumerate(self.tree.depths):
            before, now = now, self._step(depth.branches, now, self.model.flat_B)
            for m, index, outcomes, given, novel in self._outcomes(depth, now):
                preference = self._preference(m, t)
                utility[:, t, m] = (outcomes @ preference)[index]
                ambiguity[:, t, m] = given[index]
                uncertainty[:, t, m] = entropy(outcomes)[index]
                novelty_A[:, t, m] = (outcomes * novel).sum(axis=1)[index]
                constant[t, m] = log_sum_exp(preference)
            if self.use_param_info_gain and self.model.pB is not None:
                novel_B = self._step(depth.branches, before, self._flat_novelty_B)
                for f in self._changing:
                    novelty_B[:, t, f] = (novel_B[f] * now[f]).sum(axis=1)[depth.histories[f]]
            if self.intention is not None:
                for f in range(factors):
                    inductive[:, t] += self.intention.value(
                        f, before[f][histories[f]], now[f][depth.histories[f]]
                    )
            histories = depth.histories
        return PolicyReport(
            risk=constant - uncertainty - utility,
            ambiguity=ambiguity,
            utility=utility,
            state_info_gain=uncertainty - ambiguity,
            novelty_A=novelty_A,
            novelty_B=novelty_B,
            inductive=inductive,
        )

    def _step(self, branches: Sequence[Branch | None], beliefs: Arrays, flat: Arrays) -> Arrays:
        """What becomes of each factor's histories `(..., histories, S_f)`."""
        after = []
        for f, branch in enumerate(branches):
            if branch is None:
                after.append(beliefs[f])
                continue
            parents = self.model.B_dependencies[f]
            if len(parents) == 1:
                joint = beliefs[parents[0]]
            else:
                joint = _rows([beliefs[d] for d in parents], branch.parents)
            every = joint @ flat[f]
            every = every.reshape(*every.shape[:-2], -1, self.model.num_states[f])
            after.append(every if branch.take is None else every.take(branch.take, axis=-2))
        return tuple(after)

    def _outcomes(self, depth: Depth, beliefs: Arrays) -> Iterator[tuple[int, Index, Real, Real, Real]]:
        """(modality, index, outcomes (n, O_m), ambiguity (n,), novelty weights (n, O_m)) of a step."""
        for g, leaf in enumerate(depth.leaves):
            factors = self.tree.combinations[g]
            for m in self._members[g]:
                both = _contract(self._term_tensors[m], [beliefs[f] for f in factors], leaf.rows)
                outcomes = self.model.num_obs[m]
                yield m, leaf.index, both[:, :outcomes], both[:, outcomes], both[:, outcomes + 1 :]

    def _preference(self, m: int, t: int) -> Real:
        c = self.model.C[m]
        return c if c.ndim == 1 else c[t]

    @cached_property
    def _changing(self) -> list[int]:
        return [f for f in range(len(self.model.B)) if not self.model.static[f]]

    @cached_property
    def _members(self) -> tuple[tuple[int, ...], ...]:
        """The modalities of each combination of factors."""
        owner = [
            next(g for g, factors in enumerate(self.tree.combinations) if set(needed) <= set(factors))
            for needed in self.model.A_dependencies
        ]
        return tuple(
            tuple(m for m, g in enumerate(owner) if g == group)
            for group in range(len(self.tree.combinations))
        )

    @cached_property
    def _value_tensors(self) -> tuple[tuple[Real, ...], ...]:
        """For each combination and step (one, if C stays): likelihoods, and utility less ambiguity."""
        steps = len(self.tree.depths) if any(c.ndim == 2 for c in self.model.C) else 1
        return tuple(
            tuple(self._value_tensor(members, factors, t) for t in range(steps))
            for members, factors in zip(self._members, self.tree.combinations, strict=True)
        )

    def _value_tensor(self, members: tuple[int, ...], factors: tuple[int, ...], t: int) -> Real:
        stacked = np.concatenate([self._spread(m, self.model.A[m], factors) for m in members])
        preferences = np.concatenate([self._preference(m, t) for m in members])
        value = np.tensordot(preferences, stacked, 1) + (stacked * log(stacked)).sum(axis=0)
        return _outcomes_last(np.concatenate([stacked, value[None]]))

    @cached_property
    def _term_tensors(self) -> tuple[Real, ...]:
        """For each modality: its likelihood, its ambiguity and the novelty of its outcomes."""
        tensors = []
        for m, a in enumerate(self.model.A):
            factors = next(
                factors
                for factors, members in zip(self.tree.combinations, self._members, strict=True)
                if m in members
            )
            learned = self.use_param_info_gain and self.model.pA is not None
            novelty = dirichlet_novelty(self.model.pA[m]) if learned and self.model.pA else np.zeros_like(a)
            terms = np.concatenate([a, entropy(a, axis=0)[None], novelty])
            tensors.append(_outcomes_last(self._spread(m, terms, factors)))
        return tuple(tensors)

    def _spread(self, m: int, tensor: Real, factors: tuple[int, ...]) -> Real:
        return spread(tensor, self.model.A_dependencies[m], factors, self.model.num_states)

    @cached_property
    def _flat_novelty_B(self) -> Arrays:
        return tuple(by_control(dirichlet_novelty(counts)) for counts in self.model.pB or ())


def modality_groups(model: GenerativeModel) -> tuple[tuple[int, ...], ...]:
    """The lists of factors that modalities depend on, less those that are part of another."""
    needed = {tuple(sorted(factors)) for factors in model.A_dependencies}
    return tuple(sorted(own for own in needed if not any(set(own) < set(other) for other in needed)))


def _outcomes_last(tensor: Real) -> Real:
    """`(R, S_a, S_b, ...)` as `(S_a, S_b x ... x R)`."""
    moved = np.moveaxis(tensor, 0, -1)
    return np.ascontiguousarray(moved.reshape(len(moved), -1))


def _rows(beliefs: Sequence[Real], rows: Sequence[Index]) -> Real:
    """(..., combinations, joint states) products of one history of each factor."""
    joint = beliefs[0].take(rows[0], axis=-2)
    for q, row in zip(beliefs[1:], rows[1:], strict=True):
        joint = joint[..., :, None] * q.take(row, axis=-2)[..., None, :]
        joint = joint.reshape(*joint.shape[:-2], -1)
    return joint


def _contract(tensor: Real, beliefs: Sequence[Real], rows: Sequence[Index] | None) -> Real:
    """(..., combinations, R) expectations of a tensor `(S_a, S_b x ... x R)` under its factors' histories."""
    if rows is not None:
        joint = _rows(beliefs, rows)
        return np.asarray(joint @ tensor.reshape(joint.shape[-1], -1))
    expected = beliefs[0] @ tensor
    many = expected.shape[:-2]
    for q in beliefs[1:]:
        expected = expected.reshape(*many, expected.shape[-2], q.shape[-1], -1)
        expected = q[..., None, :, :] @ expected
        expected = expected.reshape(*many, -1, expected.shape[-1])
    return np.asarray(expected)
