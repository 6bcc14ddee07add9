"""Drawing structural hypotheses in proportion to how well they explain what was seen, by a GFlowNet."""

from __future__ import annotations

from functools import lru_cache

import msgspec
import numpy as np
from emily_cognition.gflownet import (
    RECIPES,
    Environment,
    GFlowNet,
    HypothesisSet,
    Objective,
    Recipe,
    diversity,
    fit,
)
from emily_contracts import Hypotheses, HypothesesRequest, Hypothesis
from numpy.typing import NDArray

from emily_inference.vision.hypotheses import STRUCTURES, UNCHANGED, VOCABULARY, log_prior

CALM = 4.0
"""Divides log rewards, so that weaker explanations are drawn too and are there when the world changes."""

DEFAULT = ""
"""The variant of who is on none."""

_RECIPES = {
    DEFAULT: Recipe(Objective.TRAJECTORY_BALANCE, batch=32, rate=3e-2, epsilon=0.05),
    "off": RECIPES["V1"],
    "on": RECIPES["V2"],
}
"""How samplers are trained, by the variant of `enable_gflownet_v2`."""
_FIRST_ITERATIONS = 200
_ITERATIONS = 1
_DRAWS = 32
_MOST = 4
_NEGLIGIBLE = float(np.log(1e-3))
_LOG_PRIOR = log_prior()
_ENVIRONMENT = HypothesisSet(VOCABULARY).environment(_LOG_PRIOR / CALM)

Array = NDArray[np.float64]


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """A sampler of one variant, and what of its samples counts.

    Attributes:
        sampler: Draws structures in proportion to prior and evidence.
        hypotheses: Structures under which pictures are seen, likeliest first.
    """

    sampler: GFlowNet
    hypotheses: tuple[int, ...] = (UNCHANGED,)

    def learned(self, variant: str, evidence: Array, rng: np.random.Generator) -> Sampling:
        """After a little more training on the evidence as it is now, and another sample."""
        sampler = retrained(self.sampler, evidence, rng, variant)
        return Sampling(sampler=sampler, hypotheses=weighed(sampler, evidence, self.hypotheses, rng))


def known(variant: str) -> str:
    """The variant itself, or the default when there is no recipe for it."""
    return variant if variant in _RECIPES else DEFAULT


def log_posterior(evidence: Array) -> Array:
    """(H,) log prior plus log evidence of each structure, not normalised."""
    return _LOG_PRIOR + evidence


@lru_cache(maxsize=16)
def unbiased_sampler(seed: int, variant: str = DEFAULT) -> GFlowNet:
    """A sampler that draws structures as they are likely before anything was seen."""
    rng = np.random.default_rng(seed)
    untrained = GFlowNet.create(_ENVIRONMENT, rng, hidden=(32,))
    return fit(untrained, _ENVIRONMENT, _RECIPES[variant], iterations=_FIRST_ITERATIONS, rng=rng)[0]


def retrained(
    sampler: GFlowNet, evidence: Array, rng: np.random.Generator, variant: str = DEFAULT
) -> GFlowNet:
    """The sampler after a little more training, on the evidence as it is now."""
    recipe = _RECIPES[variant]
    return fit(sampler.anew(), _environment(evidence), recipe, iterations=_ITERATIONS, rng=rng)[0]


def weighed(
    sampler: GFlowNet, evidence: Array, before: tuple[int, ...], rng: np.random.Generator
) -> tuple[int, ...]:
    """The likeliest few of a sample and of those weighed before, likeliest first.

    Without those that hardly count beside the first.
    """
    score = log_posterior(evidence)
    drawn = sampler.sample(_environment(evidence), _DRAWS, rng).objects
    candidates = np.union1d(drawn, before)
    ranked = candidates[np.argsort(-score[candidates], kind="stable")][:_MOST]
    return tuple(int(index) for index in ranked if score[index] > score[ranked[0]] + _NEGLIGIBLE)


def sampled(sampler: GFlowNet, evidence: Array, request: HypothesesRequest) -> Hypotheses:
    """A sample as asked for, likeliest first, and its diversity against the exact target."""
    environment = _environment(evidence)
    rng = np.random.default_rng(request.seed)
    sample = sampler.sample(environment, request.count, rng, temperature=request.temperature)
    distribution = sampler.distribution(environment)
    report = diversity(environment, sample.objects, distribution)
    found, drawn = np.unique(sample.objects, return_counts=True)
    ranked = np.argsort(-distribution[found], kind="stable")
    return Hypotheses(
        hypotheses=tuple(
            Hypothesis(
                description=str(STRUCTURES[found[i]]),
                drawn=int(drawn[i]),
                log_probability=float(np.log(distribution[found[i]])),
                log_reward=float(environment.log_reward[found[i]]),
            )
            for i in ranked
        ),
        unique=report.unique,
        expected_unique=report.expected_unique,
        total_variation=report.total_variation,
        collapsed=report.collapsed,
    )


def _environment(evidence: Array) -> Environment:
    return _ENVIRONMENT.rewarded(log_posterior(evidence) / CALM)
