"""Learning prototypes of classes from encoded examples.

Shapes: examples `(n, D)` float64, targets `(n,)` int64 in 0..K-1, prototypes `(K, D)` float64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emily_instinct import bipolar
from emily_instinct.errors import InstinctError

Real = NDArray[np.float64]
Targets = NDArray[np.int64]
CHUNK = 64


def centroid(examples: Real, targets: Targets, classes: int) -> Real:
    """Sum of each class's examples: one look at each (Kanerva 2009).

    Raises:
        InstinctError: A class has no example, or an example has no class.
    """
    counts = np.bincount(targets, minlength=classes)
    if len(counts) > classes or (counts == 0).any():
        raise InstinctError(f"targets: every class of 0..{classes - 1} needs an example, and none beyond")
    return _membership(targets, classes) @ examples


def online(examples: Real, targets: Targets, classes: int, *, rate: float = 1.0) -> Real:
    """One pass in order; an example changes its class by 1 - similarity (OnlineHD, Hernandez-Cano 2021)."""
    prototypes = np.zeros((classes, examples.shape[1]))
    for example, target in zip(examples, targets, strict=True):
        similarity = bipolar.cosine_similarity(example, prototypes)
        predicted = int(np.argmax(similarity))
        prototypes[target] += rate * (1.0 - similarity[target]) * example
        if predicted != target:
            prototypes[predicted] -= rate * (1.0 - similarity[predicted]) * example
    return prototypes


def adapt(
    prototypes: Real, examples: Real, targets: Targets, *, epochs: int, rate: float, rng: np.random.Generator
) -> Real:
    """Add a mistaken example to its class and take it from the one it was taken for (AdaptHD, Imani 2019)."""
    adapted = prototypes.copy()
    for _ in range(epochs):
        for i in rng.permutation(len(targets)):
            predicted = int(np.argmax(bipolar.cosine_similarity(examples[i], adapted)))
            if predicted != targets[i]:
                adapted[targets[i]] += rate * examples[i]
                adapted[predicted] -= rate * examples[i]
    return adapted


def adapt_packed(
    prototypes: Real,
    examples: Real,
    targets: Targets,
    *,
    epochs: int,
    margin: float,
    rng: np.random.Generator,
    rate: float = 0.02,
) -> Real:
    """Adapt prototypes that will be used by their signs alone, as the packed form is.

    Recognition is by the signs; the corrections go to the real prototypes behind them, so that small ones
    add up until a sign turns (as binarised networks are trained; Courbariaux et al. 2016). A class is
    corrected when its cosine does not exceed the best other's by `margin`. The rate falls linearly to 0.
    Every sum is of whole numbers, hence the same bit for bit however a BLAS orders it.

    Args:
        prototypes: To begin with, none zero, such as from `centroid`.
        examples: Of -1 and +1.

    Returns:
        `(K, D)` whose signs are the packed prototypes.
    """
    classes, dimension = prototypes.shape
    latent = prototypes / np.abs(prototypes).max(axis=1, keepdims=True)
    for epoch in range(epochs):
        step = rate * (1.0 - epoch / epochs)
        order = rng.permutation(len(targets))
        for start in range(0, len(order), CHUNK):
            chosen = order[start : start + CHUNK]
            batch, own = examples[chosen], targets[chosen]
            cosine = batch @ np.where(latent >= 0, 1.0, -1.0).T / dimension
            rows = np.arange(len(chosen))
            achieved = cosine[rows, own]
            cosine[rows, own] = -np.inf
            rival = np.argmax(cosine, axis=1)
            close = achieved - cosine[rows, rival] < margin
            signs = _membership(own[close], classes) - _membership(rival[close], classes)
            latent += step * (signs @ batch[close])
    return latent


def _membership(targets: NDArray[np.intp], classes: int) -> Real:
    """`(K, n)`: 1 where an example is of a class."""
    return np.equal(targets, np.arange(classes)[:, None]).astype(np.float64)
