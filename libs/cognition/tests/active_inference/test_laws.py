"""Laws that hold for every model, and the faults that users of pymdp reported."""

from typing import Any

import numpy as np
import pytest
from emily_cognition.active_inference import (
    Agent,
    GenerativeModel,
    ModelError,
    PolicyTree,
    Pruning,
    Terms,
    construct_policies,
    decompose,
    free_energy,
    generate_I_matrix,
    infer_states,
    information_gain,
    learning,
    negative_expected_free_energy,
    policy_posterior,
    predict_states,
    search,
    sequence,
    update_precision,
)
from emily_cognition.active_inference.expected_free_energy import dirichlet_information
from emily_cognition.active_inference.numerics import Real, digamma, outer
from hypothesis import given
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**32 - 1)


def _random(seed: int, *, sparse: bool = False, counts: bool = False) -> GenerativeModel:
    """Two factors (the second coupled to the first), three modalities with other dependencies."""
    rng = np.random.default_rng(seed)

    def distributions(*shape: int) -> Real:
        weights = rng.gamma(0.5, size=shape) + 1e-3
        if sparse:
            weights = weights * (rng.uniform(size=shape) < 0.6)
            weights[0] += weights.sum(axis=0) == 0
        return np.asarray(weights / weights.sum(axis=0))

    A = [distributions(3, 3), distributions(2, 3, 2), distributions(4, 2)]
    B = [distributions(3, 3, 2), distributions(2, 3, 2, 2)]
    return GenerativeModel.create(
        A=A,
        B=B,
        C=[rng.normal(size=3), rng.normal(size=2), rng.normal(size=(2, 4))],
        D=[distributions(3), distributions(2)],
        A_dependencies=[[0], [0, 1], [1]],
        B_dependencies=[[0], [0, 1]],
        pA=[5 * a for a in A] if counts else None,
        pB=[5 * b for b in B] if counts else None,
        pD=[np.ones(3), np.ones(2)] if counts else None,
    )


def _beliefs(seed: int) -> tuple[Real, ...]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(2))


@given(SEEDS, st.booleans())
def test_posteriors_are_distributions_and_free_energy_bounds_surprise(seed: int, sparse: bool) -> None:
    model = _random(seed, sparse=sparse)
    observations = [int(o) for o in np.random.default_rng(seed).integers(0, model.num_obs)]
    energies = {}
    for algorithm in ("exact", "fpi"):
        beliefs = infer_states(model, observations, model.D, inference_algo=algorithm)
        assert all(np.isfinite(q).all() and q.sum() == pytest.approx(1) for q in beliefs)
        energies[algorithm] = free_energy(model, observations, model.D, beliefs).total
    evidence = sum(
        float(
            np.prod(
                [
                    model.A[m][(o, *(s[f] for f in model.A_dependencies[m]))]
                    for m, o in enumerate(observations)
                ]
            )
        )
        * float(model.D[0][s[0]] * model.D[1][s[1]])
        for s in np.ndindex(3, 2)
    )
    if evidence > 1e-9:
        assert min(energies.values()) >= -np.log(evidence) - 1e-9


@given(SEEDS)
def test_the_decomposition_adds_up_and_the_fast_path_agrees(seed: int) -> None:
    model = _random(seed, counts=True)
    tree = PolicyTree.create(construct_policies(model.num_controls, 2), model.num_controls)
    terms = Terms(param_info_gain=True)
    report = decompose(model, _beliefs(seed), tree, terms)
    fast = negative_expected_free_energy(model, _beliefs(seed), tree, terms)
    np.testing.assert_allclose(report.neg_efe, fast, atol=1e-10)
    novelty = report.parameter_information_gain.sum(axis=1)
    epistemic_pragmatic = report.utility.sum((1, 2)) + report.state_information_gain.sum((1, 2)) + novelty
    np.testing.assert_allclose(report.neg_efe, epistemic_pragmatic, atol=1e-10)
    risk_ambiguity = report.risk.sum((1, 2)) + report.ambiguity.sum((1, 2)) - novelty
    np.testing.assert_allclose(-report.neg_efe + report.log_sum_exp_C.sum(), risk_ambiguity, atol=1e-10)
    assert (report.risk >= -1e-12).all()
    assert (report.ambiguity >= -1e-12).all()
    assert (report.state_information_gain >= -1e-12).all()
    assert (report.novelty_A >= -1e-12).all()


@given(SEEDS)
def test_one_policy_alone_is_worth_what_it_is_worth_among_others(seed: int) -> None:
    model = _random(seed)
    policies = construct_policies(model.num_controls, 2)
    whole = PolicyTree.create(policies, model.num_controls)
    together = negative_expected_free_energy(model, _beliefs(seed), whole)
    alone = PolicyTree.create(policies[5:6], model.num_controls)
    assert negative_expected_free_energy(model, _beliefs(seed), alone)[0] == pytest.approx(together[5])


def test_a_masked_observation_is_as_if_it_were_not_there_and_changes_nothing() -> None:
    model = _random(1)
    before = [a.copy() for a in model.A]
    unmasked = infer_states(model, [0, 1, 2], model.D)
    masked = infer_states(model, [0, None, 2], model.D)
    assert all((a == b).all() for a, b in zip(model.A, before, strict=True))
    assert not np.allclose(masked[0], unmasked[0])
    blind = infer_states(model, [None, None, None], model.D)
    np.testing.assert_allclose(blind[0], model.D[0])
    np.testing.assert_allclose(infer_states(model, [0, 1, 2], model.D)[0], unmasked[0])


def test_a_soft_observation_averages_the_log_likelihood() -> None:
    model = GenerativeModel.create(A=[[[0.9, 0.2], [0.1, 0.8]]], B=[np.eye(2)[:, :, None]])
    soft = np.array([0.3, 0.7])
    expected = np.exp(soft @ np.log(model.A[0]))
    for algorithm in ("exact", "fpi"):
        posterior = infer_states(model, [soft], model.D, inference_algo=algorithm)[0]
        np.testing.assert_allclose(posterior, expected / expected.sum())
    hard = infer_states(model, [np.array([0.0, 1.0])], model.D)[0]
    np.testing.assert_allclose(hard, infer_states(model, [1], model.D)[0])


def test_controls_of_factors_are_drawn_independently() -> None:
    still = np.stack([np.eye(2)] * 2, axis=-1)
    agent = Agent(GenerativeModel.create(A=[np.full((2, 2, 2), 0.5)], B=[still, still]))
    rng = np.random.default_rng(0)
    uniform = np.full(4, 0.25)
    drawn = [
        agent.sample_action(uniform, rng, selection="stochastic", sampling="marginal") for _ in range(400)
    ]
    assert 0.4 < np.mean([a == b for a, b in drawn]) < 0.6
    tied = [agent.sample_action(uniform, rng, sampling="marginal") for _ in range(400)]
    assert 0.4 < np.mean([a == b for a, b in tied]) < 0.6


def test_ties_are_broken_at_random_and_the_same_way_for_the_same_seed() -> None:
    agent = Agent(GenerativeModel.create(A=[np.full((2, 2), 0.5)], B=[np.stack([np.eye(2)] * 3, axis=-1)]))
    q_pi, _ = agent.infer_policies(agent.infer_states([0]))

    def draw(seed: int) -> list[tuple[int, ...]]:
        rng = np.random.default_rng(seed)
        return [agent.sample_action(q_pi, rng) for _ in range(60)]

    assert {u for (u,) in draw(3)} == {0, 1, 2}
    assert draw(3) == draw(3)
    assert draw(3) != draw(4)


def test_structural_zeros_survive_learning_without_nan() -> None:
    B = np.zeros((3, 3, 1))
    B[[1, 2, 2], [0, 1, 2], 0] = 1.0
    model = GenerativeModel.create(A=[np.eye(3)], B=[B], D=[[1, 0, 0]], pB=[B * 4.0])
    filtered = sequence.hmm_filter(model.A[0], B, model.D[0], [0, 1, 2], [0, 0])
    smoothed, joints = sequence.hmm_smoother(B, filtered, [0, 0])
    assert np.isfinite(smoothed).all()
    learned = learning.update_B(model, [[0], [0]], (smoothed,), joints=(joints,))[0]
    assert np.isfinite(learned).all()
    assert (learned[B == 0] == 0).all()
    expected = learning.expected(learned)
    np.testing.assert_allclose(expected.sum(axis=0), 1)


def test_coupled_transitions_are_followed_in_message_passing() -> None:
    """The second factor copies the first; seeing only the first tells the second one step later."""
    copy = np.zeros((2, 2, 2, 1))
    copy[0, 0, :, 0] = copy[1, 1, :, 0] = 1.0
    model = GenerativeModel.create(
        A=[[[0.99, 0.01], [0.01, 0.99]]],
        B=[np.eye(2)[:, :, None], copy],
        A_dependencies=[[0]],
        B_dependencies=[[0], [0, 1]],
    )
    for infer in (sequence.variational_message_passing, sequence.marginal_message_passing):
        beliefs = infer(model, [[1], [1]], [[0, 0]])
        assert beliefs[1][1][1] > 0.9


def test_information_about_parameters_is_a_gain() -> None:
    scarce = dirichlet_information(np.array([[1.0], [1.0]]))
    plenty = dirichlet_information(np.array([[100.0], [100.0]]))
    assert (scarce > plenty).all()
    assert (plenty > 0).all()
    assert dirichlet_information(np.array([[0.0], [1.0]]))[0, 0] == 0.0


def test_forgetting_relaxes_counts_to_their_base() -> None:
    model = _random(2, counts=True)
    base = tuple(np.ones_like(d) for d in model.D)
    old = (np.array([1.0, 5.0, 1.0]), np.array([9.0, 1.0]))
    changed = GenerativeModel.create(
        A=model.A, B=model.B, A_dependencies=[[0], [0, 1], [1]], B_dependencies=[[0], [0, 1]], pD=old
    )
    learned = learning.update_D(
        changed, (np.array([1.0, 0, 0]), np.array([0, 1.0])), forgetting=0.5, base=base
    )
    np.testing.assert_allclose(learned[0], [2.0, 3.0, 1.0])
    np.testing.assert_allclose(learned[1], [5.0, 2.0])


def test_an_agent_learns_the_likelihood_it_lives_in() -> None:
    rng = np.random.default_rng(5)
    truth = np.array([[0.9, 0.1], [0.1, 0.9]])
    flat = np.array([[1.1, 1.0], [1.0, 1.1]])
    agent = Agent(
        GenerativeModel.create(
            A=[learning.expected(flat)],
            B=[np.eye(2)[:, :, None]],
            pA=[flat],
            pB=[np.eye(2)[:, :, None]],
            pD=[np.ones(2)],
        )
    )
    states = rng.integers(0, 2, size=300)
    rows = [[int(rng.choice(2, p=truth[:, s]))] for s in states]
    agent = agent.infer_parameters(rows, [[0]] * 299, (np.eye(2)[states],))
    np.testing.assert_allclose(agent.model.A[0], truth, atol=0.08)
    np.testing.assert_allclose(agent.model.D[0].sum(), 1.0)


def test_precision_rises_when_the_favoured_policy_explains_what_happened() -> None:
    neg_efe, prior = np.array([2.0, 0.0]), np.array([0.5, 0.5])
    favoured = update_precision(neg_efe, prior, np.array([0.0, 3.0]))
    refuted = update_precision(neg_efe, prior, np.array([3.0, 0.0]))
    assert favoured.gamma > 1.0 > refuted.gamma
    assert favoured.change > 0 > refuted.change
    assert favoured.q_pi.sum() == pytest.approx(1)
    neutral = update_precision(neg_efe, prior, np.zeros(2))
    assert neutral.gamma == pytest.approx(1.0)


def test_proposals_join_with_a_share_of_the_prior_and_are_scored_like_all() -> None:
    model = _random(3)
    tree = PolicyTree.create(construct_policies(model.num_controls, 2)[:4], model.num_controls)
    known = tree.policies[0]
    fresh = np.array([[1, 1], [1, 1]])
    grown = tree.with_proposals([known, fresh, fresh], 0.2, model.num_controls)
    assert len(grown.policies) == 5
    np.testing.assert_allclose(grown.prior, [0.8 / 4 + 0.1, 0.2, 0.2, 0.2, 0.1])
    values = negative_expected_free_energy(model, _beliefs(3), grown)
    whole = PolicyTree.create([fresh], model.num_controls)
    assert values[4] == pytest.approx(negative_expected_free_energy(model, _beliefs(3), whole)[0])
    for wrong in ([[[9, 0], [0, 0]]], [[[0, 0]]]):
        with pytest.raises(ModelError):
            tree.with_proposals(wrong, 0.2, model.num_controls)
    with pytest.raises(ModelError, match="weight"):
        tree.with_proposals([fresh], 1.0, model.num_controls)


def test_a_search_of_one_step_is_the_list_of_policies() -> None:
    model = _random(4)
    tree = PolicyTree.create(construct_policies(model.num_controls, 1), model.num_controls)
    found = search(model, _beliefs(4), 1)
    np.testing.assert_allclose(found.neg_efe, negative_expected_free_energy(model, _beliefs(4), tree))
    assert found.q_action.sum() == pytest.approx(1)


def test_a_search_sees_that_a_cue_is_worth_a_detour() -> None:
    """Reward is left or right at even odds, a wrong choice hurts, and a cue tells which."""
    # locations: 0 start, 1 left, 2 right, 3 cue; context: reward left or right
    move = np.zeros((4, 4, 4))
    for u in range(4):
        move[u, :, u] = 1.0
    reward = np.zeros((3, 4, 2))
    reward[0, [0, 3], :] = 1.0
    reward[1, 1, 0] = reward[1, 2, 1] = 1.0
    reward[2, 1, 1] = reward[2, 2, 0] = 1.0
    cue = np.full((2, 4, 2), 0.5)
    cue[:, 3, :] = np.eye(2)
    model = GenerativeModel.create(
        A=[reward, cue],
        B=[move, np.eye(2)[:, :, None]],
        C=[[0.0, 3.0, -9.0], [0.0, 0.0]],
        D=[[1, 0, 0, 0], [0.5, 0.5]],
    )
    found = search(model, model.D, 2, terms=Terms(states_info_gain=False), controllable=[0])
    assert found.actions[int(np.argmax(found.neg_efe))].tolist() == [3, 0]
    assert found.complete
    bounded = search(model, model.D, 6, pruning=Pruning(outcome=0, action=0, nodes=50), controllable=[0])
    assert not bounded.complete
    assert bounded.nodes <= 50
    assert np.isfinite(bounded.neg_efe).all()


def test_an_agent_lists_few_policies_and_searches_many() -> None:
    small, large = Agent(_random(6), policy_len=2), Agent(_random(6), policy_len=8)
    assert small.listable
    assert not large.listable
    assert len(large.plan(_beliefs(6)).neg_efe) == 4


@given(SEEDS)
def test_the_gain_of_looks_is_what_expected_free_energy_says(seed: int) -> None:
    """A factor picks which of three likelihoods is seen; the gain of each look is the policy's."""
    rng = np.random.default_rng(seed)
    looks = np.stack([rng.dirichlet(np.ones(4), size=6).T for _ in range(3)])
    posterior = rng.dirichlet(np.ones(6))
    A = np.moveaxis(looks, 0, -1)
    go = np.zeros((3, 3, 3))
    for u in range(3):
        go[u, :, u] = 1.0
    model = GenerativeModel.create(A=[A], B=[np.eye(6)[:, :, None], go])
    tree = PolicyTree.create(construct_policies(model.num_controls, 1), model.num_controls)
    report = decompose(model, (posterior, np.array([1.0, 0, 0])), tree)
    gains = information_gain(posterior, looks)
    np.testing.assert_allclose(gains, report.state_information_gain[:, 0, 0], atol=1e-12)
    groups = np.repeat(np.eye(2), 3, axis=1)
    about_factor = information_gain(posterior, looks, groups)
    assert (about_factor <= gains + 1e-12).all()
    assert (about_factor >= -1e-12).all()
    np.testing.assert_allclose(information_gain(posterior, looks, np.eye(6)), gains, atol=1e-12)


def test_digamma_is_the_slope_of_log_gamma() -> None:
    x = np.array([1e-3, 0.1, 0.5, 1.0, 2.0, 7.3, 40.0, 1e4])
    np.testing.assert_allclose(digamma(x + 1) - digamma(x), 1 / x, rtol=1e-9)
    assert digamma(np.array([1.0]))[0] == pytest.approx(-0.5772156649015329, abs=1e-14)
    assert learning.dirichlet_divergence(np.ones((3, 2)), np.ones((3, 2))) == pytest.approx(0)
    assert learning.dirichlet_divergence(np.array([[2.0], [1.0]]), np.ones((2, 1))) > 0
    np.testing.assert_allclose(outer(np.array([1.0, 2]), np.array([3.0, 4])), [[3, 4], [6, 8]])


GOOD: dict[str, Any] = {"A": [[[0.9, 0.2], [0.1, 0.8]]], "B": [[[[1.0], [0.0]], [[0.0], [1.0]]]]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"A": []}, "A, B"),
        ({"A": [[[0.9, 0.3], [0.1, 0.8]]]}, r"A\[0\]\[:, 1\]: sums to 1.1"),
        ({"A": [[[1.1, 0.2], [-0.1, 0.8]]]}, r"A\[0\]\[1, 0\]: -0.1 is below 0"),
        ({"A": [[[np.nan, 0.2], [0.1, 0.8]]]}, r"A\[0\]\[0, 0\]: nan"),
        ({"A": [[[0.9], [0.1]]]}, r"A\[0\]: shape"),
        ({"B": [[[[1.0], [0.5]], [[0.0], [1.0]]]]}, r"B\[0\]\[:, 1, 0\]: sums to 1.5"),
        ({"C": [[0.0, np.inf]]}, r"C\[0\]\[1\]: inf"),
        ({"C": [[0.0]]}, r"C\[0\]: shape"),
        ({"C": []}, "C: 0 arrays"),
        ({"D": [[0.4, 0.4]]}, r"D\[0\]: sums to 0.8"),
        ({"E": [0.4, 0.4]}, "E: sums to 0.8"),
        ({"pA": [[[1.0, -1.0], [1.0, 1.0]]]}, r"pA\[0\]\[0, 1\]"),
        ({"pD": [[1.0]]}, r"pD\[0\]: shape"),
        ({"A_dependencies": [[1]]}, r"A_dependencies\[0\]"),
        ({"A_dependencies": []}, "A_dependencies: 0"),
    ],
)
def test_a_wrong_model_is_refused_with_its_array_and_slice(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        GenerativeModel.create(**{**GOOD, **change})


def test_what_does_not_fit_the_model_is_refused() -> None:
    model = GenerativeModel.create(**GOOD)
    with pytest.raises(ModelError, match=r"observations\[0\]: 2"):
        infer_states(model, [2], model.D)
    with pytest.raises(ModelError, match="observations: 2 given"):
        infer_states(model, [0, 0], model.D)
    with pytest.raises(ModelError, match=r"observations\[0\]: a soft"):
        infer_states(model, [np.array([0.5, 0.6])], model.D)
    with pytest.raises(ModelError, match="inference_algo"):
        infer_states(model, [0], model.D, inference_algo="magic")
    with pytest.raises(ModelError, match=r"action\[0\]"):
        predict_states(model, model.D, [1])
    with pytest.raises(ModelError, match="pA"):
        learning.update_A(model, [[0]], (np.ones((1, 2)) / 2,))
    with pytest.raises(ModelError, match="actions"):
        sequence.filter_states(model, [[0], [0], [0]], [])
    with pytest.raises(ModelError, match="policy_len"):
        construct_policies([2], 0)
    with pytest.raises(ModelError, match="policies: shape"):
        PolicyTree.create([[0]], [2])
    with pytest.raises(ModelError, match=r"policies\[0, 0, 0\]"):
        PolicyTree.create([[[5]]], [2])
    with pytest.raises(ModelError, match="E:"):
        PolicyTree.create([[[0]]], [2], [0.5])
    with pytest.raises(ModelError, match="horizon"):
        search(model, model.D, 0)
    with pytest.raises(ModelError, match="beta"):
        update_precision(np.zeros(1), np.ones(1), np.zeros(1), beta=0)
    with pytest.raises(ModelError, match="depth"):
        generate_I_matrix(model, [[0, 1]], threshold=0.1, depth=0)
    with pytest.raises(ModelError, match=r"H\[0\]"):
        generate_I_matrix(model, [[0, 1, 0]], threshold=0.1, depth=2)
    with pytest.raises(ModelError, match="H:"):
        generate_I_matrix(model, [], threshold=0.1, depth=2)
    with pytest.raises(ModelError, match="B_dependencies"):
        generate_I_matrix(_random(0), [[0, 0, 1], [0, 1]], threshold=0.1, depth=2)
    with pytest.raises(ModelError, match="likelihood"):
        information_gain(np.ones(3) / 3, np.ones((2, 2, 2)) / 2)
    with pytest.raises(ModelError, match="groups"):
        information_gain(np.ones(2) / 2, np.ones((2, 2, 2)) / 2, np.ones((1, 3)))
    counted = _random(0, counts=True)
    with pytest.raises(ModelError, match="forgetting"):
        learning.update_D(counted, counted.D, forgetting=2)
    with pytest.raises(ModelError, match="rate"):
        learning.update_D(counted, counted.D, rate=-1)


def test_policies_posterior_sums_to_one_under_extreme_precision() -> None:
    q = policy_posterior(np.array([0.0, -1e4]), np.array([0.5, 0.5]), 1e3)
    assert q.tolist() == [1.0, 0.0]
