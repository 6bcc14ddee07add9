"""Every quantity agrees with pymdp's reference results to 1e-9."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from emily_cognition.active_inference import (
    Agent,
    GenerativeModel,
    PolicyTree,
    Terms,
    decompose,
    free_energy,
    generate_I_matrix,
    infer_states,
    learning,
    sequence,
)

Golden = Callable[[str], Any]
SINGLE = (
    "pymdp_tmaze_len2",
    "pymdp_rand_1factor_seed11",
    "pymdp_rand_3factor_coupled_seed12",
    "pymdp_rand_softobs_seed15",
    "pymdp_rand_novelty_seed16",
    "pymdp_inductive_chain5",
)
assert_close = functools.partial(np.testing.assert_allclose, rtol=0, atol=1e-9)


def _model(case: dict[str, Any]) -> GenerativeModel:
    params = case["params"]
    return GenerativeModel.create(
        A=case["A"],
        B=case["B"],
        C=case["C"],
        D=case["D"],
        E=params.get("E"),
        pA=params.get("pA"),
        pB=params.get("pB"),
        A_dependencies=case["A_dependencies"],
        B_dependencies=case["B_dependencies"],
    )


def _agent(case: dict[str, Any], model: GenerativeModel) -> Agent:
    params = case["params"]
    inductive = None
    if params.get("use_inductive"):
        inductive = generate_I_matrix(
            model,
            params["H"],
            threshold=params["inductive_threshold"],
            depth=params["inductive_depth"],
            epsilon=params["inductive_epsilon"],
        )
        for mine, theirs in zip(inductive.matrices, case["I"], strict=True):
            np.testing.assert_array_equal(mine, theirs)
    return Agent(
        model,
        policy_len=params["policy_len"],
        gamma=params["gamma"],
        inference_algo=params["inference_algo"],
        terms=Terms(param_info_gain=params.get("use_param_info_gain", False), inductive=inductive),
        policies=PolicyTree.create(case["policies"], model.num_controls, model.E),
    )


def _observations(step: dict[str, Any]) -> list[Any]:
    return [np.array(o) if isinstance(o, list) else o for o in step["obs"]]


@pytest.mark.parametrize("name", SINGLE)
def test_states_policies_and_actions(golden: Golden, name: str) -> None:
    case = golden(f"{name}.json")
    agent = _agent(case, _model(case))
    for step in case["steps"]:
        prior = tuple(np.array(p) for p in step["prior"])
        beliefs = agent.infer_states(_observations(step), prior)
        for mine, theirs in zip(beliefs, step["qs"], strict=True):
            assert_close(mine, theirs)
        energy = free_energy(agent.model, _observations(step), prior, beliefs)
        expected = step["vfe_components"]
        assert energy.total == pytest.approx(step["vfe"], abs=1e-9)
        assert energy.accuracy == pytest.approx(expected["accuracy_t"], abs=1e-9)
        assert energy.neg_entropy == pytest.approx(expected["neg_entropy_t"], abs=1e-9)
        assert energy.prior_cross_entropy == pytest.approx(expected["prior_cross_entropy_t"], abs=1e-9)
        assert energy.complexity == pytest.approx(energy.total + energy.accuracy)
        q_pi, neg_efe = agent.infer_policies(beliefs)
        assert_close(neg_efe, step["neg_efe"])
        assert_close(q_pi, step["q_pi"])
        for mine, theirs in zip(agent.action_marginals(q_pi), step["action_marginals"], strict=True):
            assert_close(mine, theirs)
        if step["argmax_gap"] > 1e-6:
            assert list(agent.sample_action(q_pi, np.random.default_rng(0))) == step["action"]


@pytest.mark.parametrize("name", SINGLE)
def test_every_term_of_expected_free_energy(golden: Golden, name: str) -> None:
    case = golden(f"{name}.json")
    model = _model(case)
    agent = _agent(case, model)
    for step in case["steps"]:
        report = decompose(model, tuple(np.array(q) for q in step["qs"]), agent.tree, agent.terms)
        assert_close(report.neg_efe, step["neg_efe"])
        for p, policy in enumerate(step["efe_terms"]):
            for t, terms in enumerate(policy):
                mine = {
                    "info_gain": report.state_information_gain[p, t].sum(),
                    "utility": report.utility[p, t].sum(),
                    "risk": report.risk[p, t].sum(),
                    "ambiguity": report.ambiguity[p, t].sum(),
                    "logsumexp_C": report.log_sum_exp_C[t].sum(),
                    "novelty_A": report.novelty_A[p, t].sum(),
                    "novelty_B": report.novelty_B[p, t].sum(),
                    "inductive": report.inductive[p, t],
                }
                for term, value in terms.items():
                    assert mine[term] == pytest.approx(value, abs=1e-9), (p, t, term)


@pytest.fixture
def sequenced(golden: Golden) -> dict[str, Any]:
    """The case of sequences and learning."""
    case: dict[str, Any] = golden("pymdp_sequence_and_learning_seed17.json")
    return case


def _sequence_model(case: dict[str, Any]) -> GenerativeModel:
    return GenerativeModel.create(A=case["A"], B=case["B"], D=case["D"], pA=case["pA"], pB=case["pB"])


@pytest.mark.parametrize("algorithm", ["mmp", "vmp", "fpi"])
def test_sequences_and_learning(sequenced: dict[str, Any], algorithm: str) -> None:
    model = _sequence_model(sequenced)
    rows, actions = sequenced["obs"], sequenced["actions"]
    beliefs = {
        "mmp": lambda: sequence.marginal_message_passing(model, rows, actions),
        "vmp": lambda: sequence.variational_message_passing(model, rows, actions),
        "fpi": lambda: sequence.filter_states(model, rows, actions, inference_algo="fpi"),
    }[algorithm]()
    expected = sequenced[algorithm]
    for mine, theirs in zip(beliefs, expected["qs"], strict=True):
        assert_close(mine, theirs)
    if expected["vfe"] is not None:
        total = sequence.sequence_free_energy(model, rows, actions, beliefs).total
        assert total == pytest.approx(expected["vfe"], abs=1e-9)
    learned_A = learning.update_A(model, rows, beliefs, rate=expected["lr_pA"])
    learned_B = learning.update_B(model, actions, beliefs, rate=expected["lr_pB"])
    for mine, theirs in zip((*learned_A, *learned_B), (*expected["qA"], *expected["qB"]), strict=True):
        assert_close(mine, theirs)


def test_exact_filtering_and_smoothing(sequenced: dict[str, Any]) -> None:
    case = sequenced["exact_hmm"]
    filtered = sequence.hmm_filter(case["A"], case["B"], case["D"], case["obs"], case["actions"])
    assert_close(filtered, case["filtered"])
    smoothed, joints = sequence.hmm_smoother(case["B"], filtered, case["actions"])
    assert_close(smoothed, case["smoothed"])
    assert_close(joints.sum(axis=1), smoothed[:-1])
    model = GenerativeModel.create(A=[case["A"]], B=[case["B"]], D=[case["D"]])
    online = sequence.filter_states(model, [[o] for o in case["obs"]], [[u] for u in case["actions"]])
    assert_close(online[0], case["filtered"])


def test_exact_inference_agrees_with_bayes(golden: Golden) -> None:
    case = golden("pymdp_rand_3factor_coupled_seed12.json")
    model = _model(case)
    for step in case["steps"]:
        prior = tuple(np.array(p) for p in step["prior"])
        joint = np.einsum("a,b,c->abc", *prior)
        for m, o in enumerate(step["obs"]):
            letters = "".join("abc"[f] for f in model.A_dependencies[m])
            joint = np.einsum(f"abc,{letters}->abc", joint, model.A[m][o])
        joint /= joint.sum()
        mine = infer_states(model, step["obs"], prior, inference_algo="exact")
        for f, letter in enumerate("abc"):
            assert_close(mine[f], np.einsum(f"abc->{letter}", joint))
