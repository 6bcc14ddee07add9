from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from emily_inference.vision.beliefs import Reading, likelihood
from emily_inference.vision.grey import PLACES, level_of
from emily_inference.vision.hypotheses import STRUCTURES, UNCHANGED, Structure, log_prior
from emily_inference.vision.knowledge import Knowledge, innate, learn
from emily_inference.vision.learning import Rates, learned_counts, structure_evidence
from emily_inference.vision.model import VisionModel
from numpy.typing import NDArray

type Figures = Callable[[int, int], tuple[NDArray[np.float64], NDArray[np.int64]]]

ONE_STYLE = np.array([1.0, 0.0])
NO_FORGETTING = Rates(counts=1.0, forgetting=0.0)


def look_at(picture: NDArray[np.float64], right: int = 0) -> tuple[Reading, ...]:
    """Every third place of a picture that is displaced to the right."""
    moved = np.zeros((8, 8))
    moved[:, right:] = picture.reshape(8, 8)[:, : 8 - right]
    levels = level_of(moved.reshape(-1))
    return tuple(Reading(place, int(levels[place]), 1.0) for place in range(0, PLACES, 3))


def experienced(
    model: VisionModel, figures: Figures, *, right: int, episodes: int, hypothesise: bool = True
) -> Knowledge:
    known = innate(model, seed=0)
    pictures, labels = figures(4, 5)
    order = np.random.default_rng(0).permutation(len(labels))
    for index in order[:episodes]:
        compiled = likelihood(known.counts, model.prior, known.hypotheses, known.weights())
        known = learn(
            known,
            model,
            compiled,
            look_at(pictures[index], right),
            int(labels[index]),
            rates=Rates(),
            seed=0,
            hypothesise=hypothesise,
        )
    return known


def test_what_was_seen_is_evidence_for_the_structure_that_the_world_has(
    model: VisionModel, figures: Figures
) -> None:
    pictures, labels = figures(4, 1)
    evidence = sum(
        (
            structure_evidence(model.counts, model.prior, look_at(picture, right=1), int(label))
            for picture, label in zip(pictures, labels, strict=True)
        ),
        start=np.zeros(len(STRUCTURES)),
    )
    likeliest = STRUCTURES[int(evidence.argmax())]
    assert (likeliest.right, likeliest.down) == (1, 0)


def test_a_mind_notices_that_the_world_moved(model: VisionModel, figures: Figures) -> None:
    known = experienced(model, figures, right=2, episodes=25)
    best = STRUCTURES[known.hypotheses[0]]
    assert (best.right, best.down) == (2, 0)
    assert known.weights()[0] == known.weights().max()
    assert known.weights().sum() == pytest.approx(1.0)


def test_a_mind_in_an_unchanged_world_goes_on_believing_so(model: VisionModel, figures: Figures) -> None:
    assert experienced(model, figures, right=0, episodes=25).hypotheses[0] == UNCHANGED


def test_a_mind_that_does_not_hypothesise_never_notices(model: VisionModel, figures: Figures) -> None:
    known = experienced(model, figures, right=2, episodes=25, hypothesise=False)
    assert known.hypotheses == (UNCHANGED,)


def test_the_world_as_it_was_learned_is_the_likeliest_before_anything_is_seen() -> None:
    prior = np.exp(log_prior())
    assert prior.sum() == pytest.approx(1.0)
    assert int(prior.argmax()) == UNCHANGED


def test_an_episode_adds_its_rate_to_each_place_that_was_seen(model: VisionModel) -> None:
    seen = (Reading(10, 2, 1.0), Reading(11, 5, 1.0))
    after = learned_counts(model.counts, ONE_STYLE, seen, digit=3, structure=UNCHANGED, rates=NO_FORGETTING)
    added = after - model.counts
    assert added[10, :, 3, 0].sum() == pytest.approx(1.0)
    assert int(added[10, :, 3, 0].argmax()) == 2
    assert added.sum() == pytest.approx(2.0)


def test_what_is_seen_in_a_moved_world_is_learned_where_it_belongs(model: VisionModel) -> None:
    right = STRUCTURES.index(Structure(1, 0, 0.0))
    seen = (Reading(10, 2, 1.0), Reading(8, 0, 1.0))
    after = learned_counts(model.counts, ONE_STYLE, seen, digit=3, structure=right, rates=NO_FORGETTING)
    assert np.flatnonzero((after - model.counts).sum(axis=(1, 2, 3))).tolist() == [9]


def test_counts_stay_bounded_however_long_is_learned(model: VisionModel) -> None:
    counts = model.counts
    rates = Rates(counts=1.0, forgetting=0.05)
    for _ in range(500):
        counts = learned_counts(
            counts, ONE_STYLE, (Reading(10, 2, 1.0),), digit=3, structure=UNCHANGED, rates=rates
        )
    assert counts[10, :, 3, 0].sum() == pytest.approx(rates.counts / rates.forgetting, rel=1e-6)
