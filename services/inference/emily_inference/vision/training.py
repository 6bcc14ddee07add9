"""Learning the digits model from labelled pictures: expectation maximisation over writing styles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emily_inference.vision.grey import DIGITS, LEVELS, PLACES, level_of, neighbouring_levels
from emily_inference.vision.model import VisionModel

_ROUNDS = 30
_BASE_COUNT = 0.1

Array = NDArray[np.float64]


def train(images: Array, labels: NDArray[np.int64], *, styles: int = 10, seed: int = 0) -> VisionModel:
    """The digits model of these pictures.

    Each digit is a mixture of `styles` categorical pictures, begun at k-means++ centres and fitted
    by expectation maximisation (Dempster, Laird & Rubin 1977). Its expected counts, spread over
    alike grey levels, are the Dirichlet counts of A.

    Args:
        images: (N, 64) grey in [0, 16].
        labels: (N,) digits, each at least `styles` times.
        styles: Writing styles of a digit.
        seed: Of the first centres.
    """
    rng = np.random.default_rng(seed)
    one_hot = np.eye(LEVELS)[level_of(images)]
    spread = neighbouring_levels()
    counts = np.empty((PLACES, LEVELS, DIGITS, styles))
    prior = np.empty((DIGITS, styles))
    for digit in range(DIGITS):
        of_digit = labels == digit
        readings = one_hot[of_digit]
        style = _styles(images[of_digit], readings, styles, rng)
        base = LEVELS * _BASE_COUNT * _frequencies(readings.sum(axis=0))
        raw = np.einsum("ns,npl->pls", style, readings) + base[:, :, None]
        counts[:, :, digit] = np.einsum("ml,pls->pms", spread, raw)
        prior[digit] = (style.sum(axis=0) + 1) / (len(style) + styles) / DIGITS
    return VisionModel.of(counts, prior)


def _styles(images: Array, readings: Array, styles: int, rng: np.random.Generator) -> Array:
    """(N, styles) responsibilities of the styles for the pictures of one digit."""
    flat = readings.reshape(len(readings), -1)
    base = LEVELS * _BASE_COUNT * _frequencies(readings.sum(axis=0))
    responsibility = np.eye(styles)[_nearest(images, _spread_centres(images, styles, rng))]
    for _ in range(_ROUNDS):
        counts = (responsibility.T @ flat).reshape(styles, PLACES, LEVELS) + base
        likelihood = counts / counts.sum(axis=2, keepdims=True)
        weight = (responsibility.sum(axis=0) + 1) / (len(flat) + styles)
        log_joint = flat @ np.log(likelihood).reshape(styles, -1).T + np.log(weight)
        joint = np.exp(log_joint - log_joint.max(axis=1, keepdims=True))
        responsibility = joint / joint.sum(axis=1, keepdims=True)
    return responsibility


def _frequencies(counts: Array) -> Array:
    smoothed = counts + 0.01
    frequencies: Array = smoothed / smoothed.sum(axis=1, keepdims=True)
    return frequencies


def _spread_centres(images: Array, styles: int, rng: np.random.Generator) -> Array:
    """(styles, 64) pictures far from one another (k-means++, Arthur & Vassilvitskii 2007), then k-means."""
    centres = images[[rng.integers(len(images))]]
    while len(centres) < styles:
        nearest = _distances(images, centres).min(axis=1)
        centres = np.vstack([centres, images[rng.choice(len(images), p=nearest / nearest.sum())]])
    for _ in range(10):
        nearest_centre = _nearest(images, centres)
        centres = np.stack(
            [
                images[nearest_centre == index].mean(axis=0) if (nearest_centre == index).any() else centre
                for index, centre in enumerate(centres)
            ]
        )
    return centres


def _nearest(images: Array, centres: Array) -> NDArray[np.int64]:
    return _distances(images, centres).argmin(axis=1)


def _distances(images: Array, centres: Array) -> Array:
    squared: Array = ((images[:, None] - centres) ** 2).sum(axis=2)
    return squared
