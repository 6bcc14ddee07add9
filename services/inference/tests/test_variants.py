"""How hypotheses are sampled depends on the variant of a flag that holds for the subject."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from emily_contracts import Broadcast, Decision
from emily_contracts.flags import GFLOWNET_V2
from emily_inference.service import Inference
from emily_inference.state import InferenceState
from emily_inference.vision.beliefs import Reading, likelihood
from emily_inference.vision.grey import PLACES, level_of
from emily_inference.vision.hypotheses import STRUCTURES, UNCHANGED
from emily_inference.vision.knowledge import Knowledge, innate, learn
from emily_inference.vision.learning import Rates
from emily_inference.vision.model import VisionModel
from emily_runtime.checkpoint import decode_state, encode_state
from numpy.typing import NDArray

type Figures = Callable[[int, int], tuple[NDArray[np.float64], NDArray[np.int64]]]
type Show = Callable[..., Broadcast]

DISPLACED = 2


def moved(picture: NDArray[np.float64]) -> tuple[Reading, ...]:
    """Every third place of a picture that is displaced to the right."""
    shown = np.zeros((8, 8))
    shown[:, DISPLACED:] = picture.reshape(8, 8)[:, : 8 - DISPLACED]
    levels = level_of(shown.reshape(-1))
    return tuple(Reading(place, int(levels[place]), 1.0) for place in range(0, PLACES, 3))


def experienced(model: VisionModel, figures: Figures, variants: list[str]) -> Knowledge:
    """After episodes in a world that moved, each of a subject of one of the variants in turn."""
    known = innate(model, seed=0)
    pictures, labels = figures(4, 5)
    for number, index in enumerate(np.random.default_rng(0).permutation(len(labels))[:25]):
        variant = variants[number % len(variants)]
        view = known.under(variant)
        known = learn(
            known,
            model,
            likelihood(view.counts, model.prior, view.hypotheses, view.weights()),
            moved(pictures[index]),
            int(labels[index]),
            rates=Rates(),
            seed=0,
            hypothesise=True,
            variant=variant,
        )
    return known


@pytest.mark.parametrize("variant", ["on", "off"])
def test_every_variant_notices_that_the_world_moved(
    model: VisionModel, figures: Figures, variant: str
) -> None:
    best = STRUCTURES[experienced(model, figures, [variant]).under(variant).hypotheses[0]]
    assert (best.right, best.down) == (DISPLACED, 0)


def test_one_variant_replays_what_it_remembers_and_the_other_does_not(
    model: VisionModel, figures: Figures
) -> None:
    known = experienced(model, figures, ["on", "off"])
    assert known.variants.keys() == {"on", "off"}
    assert len(known.variants["on"].sampler.remembered)
    assert not len(known.variants["off"].sampler.remembered)
    samplers = [known.sampler, *(each.sampler for each in known.variants.values())]
    assert len({each.parameters.tobytes() for each in samplers}) == 3


def test_all_learn_from_everybodys_episodes(model: VisionModel, figures: Figures) -> None:
    known = experienced(model, figures, ["on", "off"])
    assert known.episodes == 25
    assert {known.under(variant).hypotheses[0] for variant in ("", "on", "off")} == {known.hypotheses[0]}
    assert known.hypotheses[0] != UNCHANGED


def episode(
    mind: Inference, state: InferenceState, show: Show, tell: Show, picture: NDArray[np.float64], **how: str
) -> tuple[InferenceState, list[Decision]]:
    """A picture that is looked at five times, under a flag that changes after the second; then judged."""
    decisions = []
    place = 27
    for moment in range(5):
        flags = {GFLOWNET_V2: how["first" if moment < 2 else "then"]}
        event = show(("fovea", place, (float(picture[place]),)), episode=how["name"], flags=flags)
        state, ((_, said), *_) = mind.step(state, event)
        assert isinstance(said, Decision)
        decisions.append(said)
        place = place if said.act.place is None else said.act.place
    state, _ = mind.step(state, tell("3", episode=how["name"]))
    return state, decisions


def test_a_decision_names_the_variants_that_held(
    inference: Inference, show: Show, tell: Show, figures: Figures
) -> None:
    _, decisions = episode(
        inference, inference.initial(), show, tell, figures(5, 1)[0][3], name="a", first="on", then="off"
    )
    said = [each.provenance.flags[GFLOWNET_V2] for each in decisions if each.provenance]
    assert said == ["on", "on", "off", "off", "off"]


def test_a_variant_holds_from_the_beginning_of_an_episode_to_its_end(
    inference: Inference, show: Show, tell: Show, figures: Figures
) -> None:
    picture = figures(5, 1)[0][3]
    state, _ = episode(inference, inference.initial(), show, tell, picture, name="a", first="on", then="off")
    assert state.vision.variants.keys() == {"on"}
    state, _ = episode(inference, state, show, tell, picture, name="b", first="odd", then="on")
    assert state.vision.variants.keys() == {"on"}
    assert state.vision.episodes == 2


def test_a_restored_mind_goes_on_with_its_variants_bit_for_bit(
    inference: Inference, show: Show, tell: Show, figures: Figures
) -> None:
    pictures = figures(5, 1)[0]
    state, _ = episode(
        inference, inference.initial(), show, tell, pictures[3], name="a", first="on", then="on"
    )
    data = encode_state(state, name="inference", version=Inference.state_version)
    restored = decode_state(data, InferenceState, name="inference", version=Inference.state_version)
    event = show(("fovea", 27, (9.0,)), episode="b", flags={GFLOWNET_V2: "on"})
    verdict = tell("4", episode="b")

    def live(state: InferenceState) -> bytes:
        for each in (event, verdict):
            state, _ = inference.step(state, each)
        return encode_state(state, name="inference", version=Inference.state_version)

    assert live(restored) == live(state)
