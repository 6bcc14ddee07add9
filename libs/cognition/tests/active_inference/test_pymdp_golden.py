"""Agreement with pymdp 1.0.4 in float64, and with exact inference where pymdp approximates."""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from emily_cognition.active_inference import (
    Agent,
    GenerativeModel,
    Intention,
    Policies,
    Rate,
    filter_states,
    free_energy,
    generate_I_matrix,
    hmm_filter,
    hmm_smoother,
    marginal_message_passing,
    sequence_free_energy,
    variational_message_passing,
)

CASES = (
    "pymdp_tmaze_len2",
    "pymdp_rand_1factor_seed11",
    "pymdp_rand_3factor_coupled_seed12",
    "pymdp_rand_softobs_seed15",
    "pymdp_rand_novelty_seed16",
    "pymdp_inductive_chain5",
)
assert_close = functools.partial(np.testing.assert_allclose, rtol=0, atol=1e-9)

Golden = Callable[[str], Any]


def agent_of(case: Any) -> Agent:
    params = case["params"]
    arrays = {name: case[name] for name in ("A", "B", "C", "D", "A_dependencies", "B_dependencies")}
    counts = {name: params[name] for name in ("pA", "pB") if name in params}
    model = GenerativeModel.create(**arrays, **counts, E=params.get("E"))
    intention = None
    if "H" in params:
        reachability = generate_I_matrix(
            model, params["H"], threshold=params["inductive_threshold"], depth=params["inductive_depth"]
        )
        intention = Intention(reachability, params["inductive_epsilon"])
    return Agent(
        model=model,
        policies=Policies.enumerated(model, params["policy_len"]),
        gamma=params["gamma"],
        inference_algo="fpi",
        use_param_info_gain=params.get("use_param_info_gain", False),
        intention=intention,
    )


def vectors(lists: Any) -> tuple[Any, ...]:
    return tuple(np.array(vector) for vector in lists)


@pytest.mark.parametrize("name", CASES)
def test_policies_are_listed_in_the_order_of_pymdp(golden: Golden, name: str) -> None:
    case = golden(f"{name}.json")

    assert agent_of(case).policies.actions.tolist() == case["policies"]


@pytest.mark.parametrize("name", CASES)
def test_beliefs_and_their_free_energy_agree_with_pymdp(golden: Golden, name: str) -> None:
    case = golden(f"{name}.json")
    agent = agent_of(case)
    for step in case["steps"]:
        prior = vectors(step["prior"])

        qs = agent.infer_states(step["obs"], prior)

        for ours, theirs in zip(qs, step["qs"], strict=True):
            assert_close(ours, theirs)
        energy = free_energy(agent.model, step["obs"], prior, qs)
        parts = step["vfe_components"]
        assert energy.total == pytest.approx(step["vfe"], abs=1e-9)
        assert energy.accuracy == pytest.approx(parts["accuracy_t"], abs=1e-9)
        assert energy.neg_entropy == pytest.approx(parts["neg_entropy_t"], abs=1e-9)
        assert energy.prior_cross_entropy == pytest.approx(parts["prior_cross_entropy_t"], abs=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_policies_and_actions_agree_with_pymdp(golden: Golden, name: str) -> None:
    case = golden(f"{name}.json")
    agent, rng = agent_of(case), np.random.default_rng(0)
    compared = 0
    for step in case["steps"]:
        q_pi, neg_efe = agent.infer_policies(vectors(step["qs"]))

        assert_close(neg_efe, step["neg_efe"])
        assert_close(q_pi, step["q_pi"])
        for ours, theirs in zip(agent.action_marginals(q_pi), step["action_marginals"], strict=True):
            assert_close(ours, theirs)
        if step["argmax_gap"] > 1e-6:
            compared += 1
            assert list(agent.sample_action(q_pi, rng)) == step["action"]
    assert compared


@pytest.mark.parametrize("name", CASES)
def test_terms_of_expected_free_energy_agree_with_pymdp(golden: Golden, name: str) -> None:
    case = golden(f"{name}.json")
    agent = agent_of(case)
    for step in case["steps"]:
        report = agent.report(vectors(step["qs"]))

        ours = {
            "info_gain": report.state_info_gain.sum(axis=2),
            "utility": report.utility.sum(axis=2),
            "risk": report.risk.sum(axis=2),
            "ambiguity": report.ambiguity.sum(axis=2),
            "logsumexp_C": (report.risk + report.utility + report.state_info_gain + report.ambiguity).sum(
                axis=2
            ),
            "novelty_A": report.novelty_A.sum(axis=2),
            "novelty_B": report.novelty_B.sum(axis=2),
            "inductive": report.inductive,
        }
        for term in step["efe_terms"][0][0]:
            theirs = [[depth[term] for depth in policy] for policy in step["efe_terms"]]
            assert_close(ours[term], theirs, err_msg=term)
        assert_close(report.neg_efe, step["neg_efe"])


@pytest.mark.parametrize("name", [name for name in CASES if name != "pymdp_tmaze_len2"])
def test_next_prior_agrees_with_pymdp(golden: Golden, name: str) -> None:
    case = golden(f"{name}.json")
    agent = agent_of(case)
    for step, after in zip(case["steps"], case["steps"][1:], strict=False):
        expected = agent.update_empirical_prior(step["action"], vectors(step["qs"]))

        for ours, theirs in zip(expected, after["prior"], strict=True):
            assert_close(ours, theirs)


def test_reachability_agrees_with_pymdp(golden: Golden) -> None:
    case = golden("pymdp_inductive_chain5.json")
    intention = agent_of(case).intention

    assert intention is not None
    assert [rows.tolist() for rows in intention.reachability] == case["I"]


SEQUENCES = {
    "mmp": marginal_message_passing,
    "vmp": variational_message_passing,
    "fpi": lambda model, rows, actions: filter_states(model, rows, actions, inference_algo="fpi"),
}


@pytest.mark.parametrize("algorithm", SEQUENCES)
def test_beliefs_over_sequences_and_learning_agree_with_pymdp(golden: Golden, algorithm: str) -> None:
    case = golden("pymdp_sequence_and_learning_seed17.json")
    theirs = case[algorithm]
    model = GenerativeModel.create(**{name: case[name] for name in ("A", "B", "D", "pA", "pB")})

    beliefs = SEQUENCES[algorithm](model, case["obs"], case["actions"])

    for ours, expected in zip(beliefs, theirs["qs"], strict=True):
        assert_close(ours, expected)
    if theirs["vfe"] is not None:
        energy = sequence_free_energy(model, case["obs"], case["actions"], beliefs)
        assert energy.total == pytest.approx(theirs["vfe"], abs=1e-9)
    agent = Agent(model=model, policies=Policies.enumerated(model))
    rates = {"rate_A": Rate(lr=theirs["lr_pA"]), "rate_B": Rate(lr=theirs["lr_pB"])}
    learned = agent.infer_parameters(case["obs"], beliefs, case["actions"], **rates).model
    assert learned.pA is not None
    assert learned.pB is not None
    for ours, expected in zip(learned.pA + learned.pB, theirs["qA"] + theirs["qB"], strict=True):
        assert_close(ours, expected)


def test_filter_and_smoother_agree_with_the_exact_hidden_markov_model(golden: Golden) -> None:
    case = golden("pymdp_sequence_and_learning_seed17.json")["exact_hmm"]

    filtered = hmm_filter(case["A"], case["B"], case["D"], case["obs"], case["actions"])
    smoothed, pairwise = hmm_smoother(case["B"], filtered, case["actions"])

    assert_close(filtered, case["filtered"])
    assert_close(smoothed, case["smoothed"])
    assert_close(pairwise.sum(axis=1), smoothed[:-1])
    assert_close(pairwise.sum(axis=2), smoothed[1:])


@pytest.mark.parametrize("name", ["pymdp_rand_1factor_seed11", "pymdp_inductive_chain5"])
def test_exact_inference_of_one_factor_agrees_with_pymdp(golden: Golden, name: str) -> None:
    case = golden(f"{name}.json")
    agent = replace(agent_of(case), inference_algo="exact")
    for step in case["steps"]:
        (ours,) = agent.infer_states(step["obs"], vectors(step["prior"]))

        assert_close(ours, step["qs"][0])
