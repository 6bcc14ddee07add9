"""What is known about the world beyond one episode, and how it grows."""

from __future__ import annotations

import msgspec
import numpy as np
from emily_cognition.active_inference.numerics import softmax
from emily_cognition.gflownet import GFlowNet
from msgspec.structs import replace
from numpy.typing import NDArray

from emily_inference.vision import hypothesising
from emily_inference.vision.beliefs import Likelihood, Reading, posterior
from emily_inference.vision.hypotheses import STRUCTURES, UNCHANGED
from emily_inference.vision.hypothesising import DEFAULT, Sampling
from emily_inference.vision.learning import Rates, learned_counts, structure_evidence
from emily_inference.vision.model import VisionModel


class Knowledge(msgspec.Struct, frozen=True, kw_only=True):
    """Learned counts and the structures that are weighed.

    Attributes:
        counts: (PLACES, LEVELS, DIGITS, styles) Dirichlet counts of A.
        evidence: (H,) log evidence of each structure; older episodes fade.
        sampler: Draws structures in proportion to prior and evidence.
        episodes: That were learned from.
        hypotheses: Structures under which pictures are seen, likeliest first.
        variants: Sampling of those variants of it under which something was learned.
    """

    counts: NDArray[np.float64]
    evidence: NDArray[np.float64]
    sampler: GFlowNet
    episodes: int = 0
    hypotheses: tuple[int, ...] = (UNCHANGED,)
    variants: dict[str, Sampling] = {}

    def under(self, variant: str) -> Knowledge:
        """As a subject of a variant has it: with the hypotheses of its sampler, once that has learned."""
        own = self.variants.get(variant)
        return self if own is None else replace(self, hypotheses=own.hypotheses)

    def weights(self) -> NDArray[np.float64]:
        """(K,) posterior probabilities of the hypotheses among themselves."""
        score = hypothesising.log_posterior(self.evidence)[list(self.hypotheses)]
        return softmax(score)


def innate(model: VisionModel, seed: int) -> Knowledge:
    """What is known before the first episode."""
    return Knowledge(
        counts=model.counts,
        evidence=np.zeros(len(STRUCTURES)),
        sampler=hypothesising.unbiased_sampler(seed),
    )


def learn(
    knowledge: Knowledge,
    model: VisionModel,
    compiled: Likelihood,
    seen: tuple[Reading, ...],
    digit: int,
    *,
    rates: Rates,
    seed: int,
    hypothesise: bool,
    variant: str = DEFAULT,
) -> Knowledge:
    """What is known after an episode whose digit became known.

    Evidence is of the world, and all learn from it: the samplers of all variants are trained alike, whoever's
    episode it was, and so can be compared.
    """
    hypotheses = knowledge.under(variant).hypotheses
    styles = posterior(compiled, seen)[digit].reshape(len(hypotheses), -1).sum(axis=0)
    counts = learned_counts(
        knowledge.counts,
        styles / styles.sum(),
        seen,
        digit=digit,
        structure=hypotheses[0],
        rates=rates,
    )
    learned = replace(knowledge, counts=counts, episodes=knowledge.episodes + 1)
    if not hypothesise:
        return learned
    explained = structure_evidence(knowledge.counts, model.prior, seen, digit)
    evidence = rates.memory * knowledge.evidence + explained
    evidence -= evidence.max()
    whole = Sampling(sampler=knowledge.sampler, hypotheses=knowledge.hypotheses)
    learning = {DEFAULT: whole} | _begun(knowledge, variant, seed)
    after = {
        name: sampling.learned(name, evidence, _dice(seed, knowledge.episodes, name))
        for name, sampling in learning.items()
    }
    whole = after.pop(DEFAULT)
    return replace(
        learned, evidence=evidence, sampler=whole.sampler, hypotheses=whole.hypotheses, variants=after
    )


def _begun(knowledge: Knowledge, variant: str, seed: int) -> dict[str, Sampling]:
    """The variants that learn, with one that is new."""
    if variant == DEFAULT or variant in knowledge.variants:
        return knowledge.variants
    fresh = Sampling(sampler=hypothesising.unbiased_sampler(seed, variant), hypotheses=knowledge.hypotheses)
    return knowledge.variants | {variant: fresh}


def _dice(seed: int, episodes: int, variant: str) -> np.random.Generator:
    """Of one variant after one episode: what it draws depends on no other."""
    return np.random.default_rng([seed, episodes, *variant.encode()])
