"""Expected free energy of policies, in total (fast) or decomposed (for reports).

For a policy at a step, with q(s) predicted states and q(o) = E_q(s)[P(o | s)] predicted outcomes:

    risk       = KL[q(o) || softmax(C)]              ambiguity = E_q(s)[H[P(o | s)]]
    utility    = E_q(o)[C]                           state information gain = H[q(o)] - ambiguity
    G = risk + ambiguity - parameter information gain - inductive value
      = -(utility + state information gain + ...) + ln sum exp(C)

so that neg_efe = -G up to the normalisation of C, as in pymdp. Sources: Da Costa et al. 2020 (G, and
eq. D.15 for Dirichlet information gain), Friston et al. 2023 (inductive planning).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emily_cognition.active_inference.inductive import Reachability, inductive_values
from emily_cognition.active_inference.model import GenerativeModel
from emily_cognition.active_inference.numerics import Real, digamma, entropy, log, log_sum_exp, softmax
from emily_cognition.active_inference.policies import Depth, PolicyTree
from emily_cognition.active_inference.states import Beliefs


@dataclass(frozen=True)
class Terms:
    """Which terms count.

    Attributes:
        utility, states_info_gain: On by default.
        param_info_gain: Needs pA or pB in the model.
        inductive: Reachability of the goal; none leaves the term out.
    """

    utility: bool = True
    states_info_gain: bool = True
    param_info_gain: bool = False
    inductive: Reachability | None = None


@dataclass(frozen=True, eq=False)
class PolicyReport:
    """Every term of every policy, in nats.

    Attributes:
        risk, ambiguity, utility, state_information_gain: `(policies, T, modalities)`.
        log_sum_exp_C: `(T, modalities)`, what the normalisation of the preferences adds to G.
        novelty_A: `(policies, T, modalities)` information gain about A; 0 without pA.
        novelty_B: `(policies, T, factors)` information gain about B; 0 without pB.
        inductive: `(policies, T)`.
        neg_efe: `(policies,)` sum of the terms that count.
    """

    risk: Real
    ambiguity: Real
    utility: Real
    state_information_gain: Real
    log_sum_exp_C: Real
    novelty_A: Real
    novelty_B: Real
    inductive: Real
    neg_efe: Real

    @property
    def parameter_information_gain(self) -> Real:
        """`(policies, T)`."""
        return np.asarray(self.novelty_A.sum(-1) + self.novelty_B.sum(-1))


def negative_expected_free_energy(
    model: GenerativeModel,
    beliefs: Beliefs,
    tree: PolicyTree,
    terms: Terms = Terms(),
) -> Real:
    """`(policies,)` neg_efe, summed over steps, from beliefs about now."""
    start = _inductive_start(terms, beliefs)
    states: Beliefs = tuple(q[None] for q in beliefs)
    score = np.zeros(1)
    for t, depth in enumerate(tree.depths):
        following = _predict(model, states, depth)
        gain = np.zeros(len(depth.parent))
        for group in model.groups:
            predicted = _joint(following, group.factors) @ group.stacked.T
            count = len(group.modalities)
            outcomes, ambiguity = predicted[:, :-count], predicted[:, -count:]
            if terms.states_info_gain:
                gain -= np.einsum("no,no->n", outcomes, log(outcomes)) + ambiguity.sum(axis=1)
            if terms.utility:
                gain += outcomes @ np.concatenate([_preference(model, m, t) for m in group.modalities])
        if terms.param_info_gain:
            gain += sum(_novelty_A(model, following).T) + sum(_novelty_B(model, states, following, depth).T)
        if terms.inductive is not None:
            gain += inductive_values(terms.inductive, start, following)
        score = score[depth.parent] + gain
        states = following
    return np.asarray(score[tree.nodes[:, -1]])


def decompose(
    model: GenerativeModel,
    beliefs: Beliefs,
    tree: PolicyTree,
    terms: Terms = Terms(),
) -> PolicyReport:
    """Every term of every policy by step and modality."""
    start = _inductive_start(terms, beliefs)
    states: Beliefs = tuple(q[None] for q in beliefs)
    columns: dict[str, list[Real]] = {name: [] for name in _REPORTED}
    for t, depth in enumerate(tree.depths):
        following = _predict(model, states, depth)
        measured = _measure(model, following, t)
        measured["novelty_A"] = _novelty_A(model, following)
        measured["novelty_B"] = _novelty_B(model, states, following, depth)
        measured["inductive"] = (
            np.zeros(len(depth.parent))
            if terms.inductive is None
            else inductive_values(terms.inductive, start, following)
        )
        for name in _REPORTED:
            columns[name].append(measured[name][tree.nodes[:, t]])
        states = following
    stacked = {name: np.stack(parts, axis=1) for name, parts in columns.items()}
    constant = np.array(
        [[_normaliser(model, m, t) for m in range(len(model.A))] for t in range(len(tree.depths))]
    )
    counted = np.zeros(len(tree.policies))
    if terms.utility:
        counted += stacked["utility"].sum(axis=(1, 2))
    if terms.states_info_gain:
        counted += stacked["state_information_gain"].sum(axis=(1, 2))
    if terms.param_info_gain:
        counted += stacked["novelty_A"].sum(axis=(1, 2)) + stacked["novelty_B"].sum(axis=(1, 2))
    return PolicyReport(**stacked, log_sum_exp_C=constant, neg_efe=counted + stacked["inductive"].sum(axis=1))


def policy_posterior(neg_efe: Real, prior: Real, gamma: float) -> Real:
    """q(policy) = softmax(gamma neg_efe + ln prior), `(policies,)`."""
    return softmax(gamma * neg_efe + log(prior))


_REPORTED = ("risk", "ambiguity", "utility", "state_information_gain", "novelty_A", "novelty_B", "inductive")


def _predict(model: GenerativeModel, states: Beliefs, depth: Depth) -> Beliefs:
    following = []
    for f, factors in enumerate(model.B_dependencies):
        under_all = _joint(states, factors) @ model.flat_B[f]
        by_control = under_all.reshape(len(under_all), model.num_controls[f], model.num_states[f])
        following.append(by_control[depth.parent, depth.controls[:, f]])
    return tuple(following)


def _joint(states: Beliefs, factors: tuple[int, ...]) -> Real:
    """(nodes, joint states of the factors) product of marginals."""
    joint = states[factors[0]]
    for f in factors[1:]:
        joint = (joint[:, :, None] * states[f][:, None, :]).reshape(len(joint), -1)
    return joint


def _measure(model: GenerativeModel, states: Beliefs, t: int) -> dict[str, Real]:
    shape = (len(states[0]), len(model.A))
    ambiguity, utility, surprise = np.empty(shape), np.empty(shape), np.empty(shape)
    normaliser = np.array([_normaliser(model, m, t) for m in range(len(model.A))])
    for group in model.groups:
        predicted = _joint(states, group.factors) @ group.stacked.T
        for i, m in enumerate(group.modalities):
            outcomes = predicted[:, group.rows[i]]
            ambiguity[:, m] = predicted[:, -len(group.modalities) + i]
            utility[:, m] = outcomes @ _preference(model, m, t)
            surprise[:, m] = entropy(outcomes)
    return {
        "risk": normaliser - utility - surprise,
        "ambiguity": ambiguity,
        "utility": utility,
        "state_information_gain": surprise - ambiguity,
    }


def _preference(model: GenerativeModel, m: int, t: int) -> Real:
    c = model.C[m]
    return c if c.ndim == 1 else np.asarray(c[min(t, len(c) - 1)])


def _normaliser(model: GenerativeModel, m: int, t: int) -> float:
    return float(log_sum_exp(_preference(model, m, t)))


def _novelty_A(model: GenerativeModel, states: Beliefs) -> Real:
    """(nodes, modalities) expected information about A."""
    novelty = np.zeros((len(states[0]), len(model.A)))
    for m, counts in enumerate(model.pA or ()):
        joint = _joint(states, model.A_dependencies[m])
        outcomes = joint @ model.A[m].reshape(model.num_obs[m], -1).T
        weights = joint @ dirichlet_information(counts).reshape(model.num_obs[m], -1).T
        novelty[:, m] = np.einsum("no,no->n", outcomes, weights)
    return novelty


def _novelty_B(model: GenerativeModel, before: Beliefs, after: Beliefs, depth: Depth) -> Real:
    """(nodes, factors) expected information about B."""
    novelty = np.zeros((len(after[0]), len(model.B)))
    for f, counts in enumerate(model.pB or ()):
        information = np.moveaxis(dirichlet_information(counts), -1, 0).reshape(
            model.num_controls[f], model.num_states[f], -1
        )
        joint = _joint(before, model.B_dependencies[f])[depth.parent]
        novelty[:, f] = np.einsum("ns,nsp,np->n", after[f], information[depth.controls[:, f]], joint)
    return novelty


def dirichlet_information(counts: Real) -> Real:
    """Expected information gain of one more count, per entry (Da Costa et al. 2020, eq. D.15).

    Entries without counts carry none.
    """
    safe = np.maximum(counts, np.finfo(np.float64).eps)
    total = np.maximum(safe.sum(axis=0), np.finfo(np.float64).eps)
    gain = np.log(total) - np.log(safe) + digamma(safe + 1.0) - digamma(total + 1.0)
    return np.asarray(gain * (counts > 0))


def _inductive_start(terms: Terms, beliefs: Beliefs) -> tuple[int, ...]:
    return () if terms.inductive is None else tuple(int(np.argmax(q)) for q in beliefs)
