"""Learning prototypes of classes from encoded examples.

Shapes: examples `(n, D)` float64, targets `(n,)` int64 in 0..K-1, prototypes `(K, D)` float64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emily_instinct.encoders import binarise
from emily_instinct.errors import InstinctError
from emily_instinct.item_memory import ItemMemory

Real = NDArray[np.float64]
Targets = NDArray[np.int64]
CHUNK = 64


def centroid(examples: Real, targets: Targets, classes: int) -> Real:
    """Sum of each class's examples: one look at each (Kanerva 2009).

    Raises:
        InstinctError: A class has no example.
    """
    counts = np.bincount(targets, minlength=classes)
    if len(counts) > classes or (counts == 0).any():
        raise InstinctError(f"targets: every class of 0..{classes - 1} needs an example, and none beyond")
    return np.stack([examples[targets == k].sum(axis=0) for k in range(classes)])


def online(examples: Real, targets: Targets, classes: int, *, rate: float = 1.0) -> Real:
    """One pass in order; an example changes its class by 1 - similarity (OnlineHD, Hernandez-Cano 2021)."""
    prototypes = np.zeros((classes, examples.shape[1]))
    for example, target in zip(examples, targets, strict=True):
        similarity = _cosine(prototypes, example)
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
            predicted = int(np.argmax(_cosine(adapted, examples[i])))
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
) -> Real:
    """Adapt while recognising with the signs alone, as the packed form will.

    A class is corrected when its similarity does not exceed the best other's by `margin` (in shares of the
    dimension); the change is made to the real prototypes behind the signs, so that small corrections add
    up until a sign turns. The rate falls linearly. Examples are taken in chunks of 64.

    Returns:
        `(K, D)` whose signs are the packed prototypes.
    """
    dimension = examples.shape[1]
    latent = prototypes / np.abs(prototypes).max(axis=1, keepdims=True)
    for epoch in range(epochs):
        rate = 0.02 * (1.0 - epoch / epochs)
        order = rng.permutation(len(targets))
        for start in range(0, len(order), CHUNK):
            chosen = order[start : start + CHUNK]
            batch, own = examples[chosen], targets[chosen]
            similarity = batch @ np.sign(latent).T / dimension
            rows = np.arange(len(chosen))
            right = similarity[rows, own]
            similarity[rows, own] = -np.inf
            rival = np.argmax(similarity, axis=1)
            wrong = right - similarity[rows, rival] < margin
            np.add.at(latent, own[wrong], rate * batch[wrong])
            np.subtract.at(latent, rival[wrong], rate * batch[wrong])
    return latent


def memory(prototypes: Real, labels: tuple[str, ...]) -> ItemMemory:
    """The signs of the prototypes as an item memory."""
    return ItemMemory(labels=labels, items=binarise(prototypes), dimension=prototypes.shape[1])


def _cosine(prototypes: Real, example: Real) -> Real:
    norms = np.linalg.norm(prototypes, axis=1) * np.linalg.norm(example)
    return np.divide(prototypes @ example, norms, out=np.zeros(len(prototypes)), where=norms > 0)
