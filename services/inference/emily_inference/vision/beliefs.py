"""What is believed about the picture that is being looked at: exact Bayes over digit, style and structure."""

from __future__ import annotations

import msgspec
import numpy as np
from emily_cognition.active_inference.numerics import softmax
from numpy.typing import NDArray

from emily_inference.vision.grey import DIGITS, LEVELS, PLACES
from emily_inference.vision.hypotheses import readings, sources

_BLANK = 0.95
_SOURCES = sources()
_READINGS = readings()


class Reading(msgspec.Struct, frozen=True, array_like=True):
    """What was seen at a place.

    Attributes:
        level: Of grey.
        gain: With which it counts as evidence, > 0.
    """

    place: int
    level: int
    gain: float


class Likelihood(msgspec.Struct, frozen=True, kw_only=True):
    """The model under some hypotheses, arranged for inference.

    Attributes:
        table: (DIGITS, PLACES, LEVELS, hypotheses * styles) P(level | digit, place, hypothesis, style).
        log_prior: (DIGITS, hypotheses * styles) of the joint hidden state.
    """

    table: NDArray[np.float64]
    log_prior: NDArray[np.float64]


def with_edge(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(PLACES + 1, LEVELS, DIGITS, styles) P(level | digit, style): expected A, and beyond the edge blank."""
    blank = np.full((1, *counts.shape[1:]), (1 - _BLANK) / (LEVELS - 1))
    blank[:, 0] = _BLANK
    return np.concatenate([counts / counts.sum(axis=1, keepdims=True), blank])


def likelihood(
    counts: NDArray[np.float64],
    prior: NDArray[np.float64],
    hypotheses: tuple[int, ...],
    weights: NDArray[np.float64],
) -> Likelihood:
    """The model averaged over weighted hypotheses: they are one more factor of the joint state.

    Args:
        counts: (PLACES, LEVELS, DIGITS, styles) Dirichlet counts.
        prior: (DIGITS, styles).
        hypotheses: Indices, K of them.
        weights: (K,) probabilities.
    """
    expected = with_edge(counts)
    tables = [np.einsum("ml,plds->dpms", _READINGS[index], expected[_SOURCES[index]]) for index in hypotheses]
    joint = prior[:, None, :] * weights[None, :, None]
    return Likelihood(table=np.concatenate(tables, axis=-1), log_prior=np.log(joint).reshape(DIGITS, -1))


def posterior(
    model: Likelihood, seen: tuple[Reading, ...], expected: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """(DIGITS, hypotheses * styles) joint posterior, summing to 1.

    Args:
        expected: (DIGITS,) how much more likely than the model says each digit is beforehand.
    """
    places = [reading.place for reading in seen]
    levels = [reading.level for reading in seen]
    gains = np.array([reading.gain for reading in seen])
    evidence = np.log(model.table[:, places, levels])
    log_joint = model.log_prior + np.einsum("n,dnk->dk", gains, evidence)
    if expected is not None:
        log_joint += np.log(expected)[:, None]
    return softmax(log_joint.reshape(-1)).reshape(log_joint.shape)


def predicted(model: Likelihood, joint: NDArray[np.float64]) -> NDArray[np.float64]:
    """(DIGITS, PLACES, LEVELS) P(digit, level) at each place if it were looked at now.

    Not by BLAS: the sum must not depend on the number of its threads.
    """
    flat = model.table.reshape(DIGITS, PLACES * LEVELS, -1)
    both: NDArray[np.float64] = np.einsum("dfk,dk->df", flat, joint).reshape(DIGITS, PLACES, LEVELS)
    return both
