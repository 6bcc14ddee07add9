"""Recognising a picture from the places that were seen, however few."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from emily_instinct import classifier, hypervector
from emily_instinct.classifier import Classifier
from emily_instinct.encoders import RecordEncoder
from emily_instinct.errors import InstinctError
from emily_instinct.item_memory import Match
from numpy.typing import NDArray

from emily_reflex.errors import ModelUnusable

PLACES = 64
BRIGHTEST = 16.0

_DIMENSION = 4096
_LEVELS = 17

type VisionMemory = Classifier[RecordEncoder]


def train(images: NDArray[np.float64], labels: NDArray[np.int64], *, seed: int = 0) -> VisionMemory:
    """A memory of these pictures.

    Args:
        images: (N, 64) grey in [0, 16].
        labels: (N,) what each one shows.
        seed: Of the hypervectors and of the order of examples.
    """
    rng = np.random.default_rng(seed)
    encoder = RecordEncoder.create(
        fields=PLACES, levels=_LEVELS, low=0.0, high=BRIGHTEST, dimension=_DIMENSION, rng=rng
    )
    return classifier.train(encoder, images, [str(label) for label in labels], rng=rng)


def recognise(memory: VisionMemory, seen: Mapping[int, float]) -> Match:
    """The nearest item to the greys seen, by place; at least one place.

    A record of some places is like the record of the whole picture in just these places, so that few
    places give a weak answer.
    """
    places = sorted(seen)
    greys = np.array([seen[place] for place in places])
    record = memory.encoder.encode_some(np.array(places), greys)
    return memory.memory.match(hypervector.pack_signs(record))


def save(memory: VisionMemory, path: Path) -> None:
    """Write the memory to one file, without pickle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(memory.to_bytes())


def load(path: Path) -> VisionMemory:
    """The memory that `save` wrote.

    Raises:
        ModelUnusable: The file is missing, torn, or of another kind or format.
    """
    try:
        return Classifier.from_bytes(path.read_bytes(), RecordEncoder)
    except FileNotFoundError:
        raise ModelUnusable(
            f"model: {path} does not exist; make it with python -m emily_reflex.train"
        ) from None
    except (OSError, InstinctError) as failure:
        raise ModelUnusable(f"model: {path} can't be used: {failure}") from failure
