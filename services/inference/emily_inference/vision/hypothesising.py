"""Drawing structural hypotheses in proportion to how well they explain what was seen."""

from __future__ import annotations

import numpy as np
from emily_cognition.active_inference.numerics import softmax
from emily_contracts import Hypotheses, HypothesesRequest, Hypothesis
from numpy.typing import NDArray

from emily_inference.vision.hypotheses import STRUCTURES, log_prior

CALM = 4.0
"""Divides log rewards, so that weaker explanations are drawn too and are there when the world changes."""

_DRAWS = 32
_MOST = 4
_NEGLIGIBLE = np.log(1e-3)
_LOG_PRIOR = log_prior()

Array = NDArray[np.float64]


def log_posterior(evidence: Array) -> Array:
    """(H,) log prior plus log evidence of each structure, not normalised."""
    return _LOG_PRIOR + evidence


def weighed(evidence: Array, rng: np.random.Generator) -> tuple[int, ...]:
    """The likeliest few of a sample, likeliest first, without those that hardly count beside the first."""
    score = log_posterior(evidence)
    drawn = np.unique(rng.choice(len(score), size=_DRAWS, p=softmax(score / CALM)))
    ranked = drawn[np.argsort(-score[drawn], kind="stable")][:_MOST]
    return tuple(int(index) for index in ranked if score[index] > score[ranked[0]] + _NEGLIGIBLE)


def sampled(evidence: Array, request: HypothesesRequest) -> Hypotheses:
    """A sample as asked for, and how diverse it is.

    There are few enough structures to draw from the target itself, so the sampler can't collapse; a
    temperature other than 1 moves it away from the target by the total variation that is reported.
    """
    log_reward = log_posterior(evidence) / CALM
    target, sampler = softmax(log_reward), softmax(log_reward / request.temperature)
    drawn = np.random.default_rng(request.seed).multinomial(request.count, sampler)
    found = np.flatnonzero(drawn)
    ranked = found[np.argsort(-sampler[found], kind="stable")]
    return Hypotheses(
        hypotheses=tuple(
            Hypothesis(
                description=str(STRUCTURES[index]),
                drawn=int(drawn[index]),
                log_probability=float(np.log(sampler[index])),
                log_reward=float(log_reward[index]),
            )
            for index in ranked
        ),
        unique=len(found),
        expected_unique=float(np.sum(1 - (1 - target) ** request.count)),
        total_variation=float(0.5 * np.abs(sampler - target).sum()),
        collapsed=False,
    )
