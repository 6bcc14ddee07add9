from __future__ import annotations

import numpy as np
import pytest
from emily_cognition.active_inference import information_gain
from emily_contracts import Modulation
from emily_inference.vision.acting import Preferences, Weighed, chosen, weigh
from emily_inference.vision.beliefs import Reading, likelihood, posterior, predicted
from emily_inference.vision.grey import DIGITS, LEVELS, PLACES
from emily_inference.vision.hypotheses import UNCHANGED
from emily_inference.vision.model import VisionModel


def weighed(
    model: VisionModel,
    *seen: Reading,
    modulation: Modulation = Modulation(),  # noqa: B008
    preferences: Preferences = Preferences(),  # noqa: B008
) -> Weighed:
    compiled = likelihood(model.counts, model.prior, (UNCHANGED,), np.ones(1))
    joint = posterior(compiled, seen)
    places = tuple(reading.place for reading in seen)
    return weigh(joint.sum(axis=1), predicted(compiled, joint), places, preferences, modulation)


def reporting(policies: Weighed) -> float:
    return float(policies.probabilities[:DIGITS].sum())


def test_information_gain_is_the_expected_fall_of_entropy_about_the_digit(model: VisionModel) -> None:
    compiled = likelihood(model.counts, model.prior, (UNCHANGED,), np.ones(1))
    both = predicted(compiled, posterior(compiled, ()))[:, 20]
    before = -np.sum(both.sum(axis=1) * np.log(both.sum(axis=1)))
    after = -np.sum(both * np.log(both / both.sum(axis=0)))
    gain = weighed(model).information_gain[DIGITS + 20]
    assert gain == pytest.approx(before - after)


def test_information_gain_is_that_of_the_general_model_about_the_digit_factor(model: VisionModel) -> None:
    compiled = likelihood(model.counts, model.prior, (UNCHANGED,), np.ones(1))
    joint = posterior(compiled, (Reading(5, 3, 1.0),))
    looks = np.moveaxis(compiled.table, 0, 2).reshape(PLACES, LEVELS, -1)
    digits = np.repeat(np.eye(DIGITS), joint.shape[1], axis=1)
    policies = weighed(model, Reading(5, 3, 1.0))
    expected = information_gain(joint.reshape(-1), looks, digits)[policies.places]
    np.testing.assert_allclose(policies.information_gain[DIGITS:], expected, atol=1e-12)


def test_both_splits_of_expected_free_energy_give_the_same_total(model: VisionModel) -> None:
    policies = weighed(model, Reading(5, 3, 1.0))
    for policy in range(len(policies.probabilities)):
        energy = policies.expected_free_energy(policy)
        assert energy.total == pytest.approx(energy.risk + energy.ambiguity)
        assert energy.total == pytest.approx(-(energy.utility + energy.state_information_gain))
        assert energy.ambiguity >= -1e-12


def test_a_place_that_was_seen_is_not_offered_again(model: VisionModel) -> None:
    policies = weighed(model, Reading(5, 3, 1.0), Reading(60, 0, 1.0))
    assert set(range(PLACES)) - set(policies.places.tolist()) == {5, 60}


def test_when_all_is_seen_only_reports_are_left(model: VisionModel) -> None:
    policies = weighed(model, *(Reading(place, 0, 1.0) for place in range(PLACES)))
    assert len(policies.probabilities) == DIGITS
    assert policies.probabilities.sum() == pytest.approx(1.0)


def test_an_ignorant_mind_looks_and_a_certain_one_reports(model: VisionModel) -> None:
    assert reporting(weighed(model)) < 0.01
    likeliest = np.argmax(model.counts[:, :, 4, 0], axis=1)
    certain = weighed(model, *(Reading(place, int(likeliest[place]), 1.0) for place in range(40)))
    assert reporting(certain) > 0.99
    assert int(certain.probabilities.argmax()) == 4


BLURRED = Preferences(precision=8.0)


@pytest.fixture
def undecided(model: VisionModel) -> tuple[Reading, ...]:
    likeliest = np.argmax(model.counts[:, :, 4, 0], axis=1)
    return tuple(Reading(place, int(likeliest[place]), 0.6) for place in range(0, 12, 3))


def test_caution_makes_a_mind_look_more(model: VisionModel, undecided: tuple[Reading, ...]) -> None:
    calm, afraid = (
        reporting(weighed(model, *undecided, modulation=Modulation(caution=caution), preferences=BLURRED))
        for caution in (0.0, 0.8)
    )
    assert afraid < calm


def test_a_short_horizon_makes_a_mind_report_sooner(
    model: VisionModel, undecided: tuple[Reading, ...]
) -> None:
    patient, hasty = (
        reporting(weighed(model, *undecided, modulation=Modulation(horizon=horizon), preferences=BLURRED))
        for horizon in (1.0, 0.7)
    )
    assert hasty > patient


def test_precision_sharpens_the_choice(model: VisionModel, undecided: tuple[Reading, ...]) -> None:
    vague, precise = (
        weighed(model, *undecided, modulation=Modulation(precision=precision)).probabilities.max()
        for precision in (0.05, 2.0)
    )
    assert precise > vague


def test_a_draw_falls_on_policies_in_proportion_to_their_probability(model: VisionModel) -> None:
    policies = weighed(model, preferences=Preferences(precision=1.0))
    draws = [chosen(policies, (index + 0.5) / 10_000) for index in range(10_000)]
    shares = np.bincount(draws, minlength=len(policies.probabilities)) / 10_000
    np.testing.assert_allclose(shares, policies.probabilities, atol=1e-3)
