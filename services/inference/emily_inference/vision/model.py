"""The generative model of handwritten digits: a digit and a writing style say how grey each place is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from emily_inference.errors import ModelUnusable
from emily_inference.vision.grey import DIGITS, LEVELS, PLACES

FORMAT = 1


class VisionModel(msgspec.Struct, frozen=True, kw_only=True):
    """What was learned before the first picture is seen.

    Attributes:
        counts: (PLACES, LEVELS, DIGITS, styles) Dirichlet counts of A, all > 0.
        prior: (DIGITS, styles) probabilities D of the hidden factors, summing to 1.
        hash: First 16 hex digits of the SHA-256 of both arrays.
    """

    counts: NDArray[np.float64]
    prior: NDArray[np.float64]
    hash: str

    @classmethod
    def of(cls, counts: NDArray[np.float64], prior: NDArray[np.float64]) -> VisionModel:
        """The model of these arrays.

        Raises:
            ModelUnusable: A shape or a value is not as documented; the message names it.
        """
        styles = prior.shape[-1]
        if prior.shape != (DIGITS, styles) or not np.isclose(prior.sum(), 1) or prior.min() < 0:
            raise ModelUnusable(
                f"prior: {prior.shape} must be ({DIGITS}, styles) probabilities that sum to 1"
            )
        if counts.shape != (PLACES, LEVELS, DIGITS, styles) or not counts.min() > 0:
            raise ModelUnusable(
                f"counts: {counts.shape} must be ({PLACES}, {LEVELS}, {DIGITS}, {styles}), all above 0"
            )
        counts = np.ascontiguousarray(counts, dtype=np.float64)
        prior = np.ascontiguousarray(prior, dtype=np.float64)
        digest = hashlib.sha256(counts.tobytes() + prior.tobytes()).hexdigest()[:16]
        return cls(counts=counts, prior=prior, hash=digest)


def save(model: VisionModel, path: Path) -> None:
    """Write the model as arrays with a JSON header, without pickle."""
    header = json.dumps({"format": FORMAT, "kind": "vision", "hash": model.hash})
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez(file, header=np.array(header), counts=model.counts, prior=model.prior)


def load(path: Path) -> VisionModel:
    """The model that `save` wrote.

    Raises:
        ModelUnusable: The file is missing, of another format, or its content doesn't match its hash.
    """
    if not path.exists():
        raise ModelUnusable(f"model: {path} does not exist; make it with python -m emily_inference.train")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            header = json.loads(str(arrays["header"]))
            counts, prior = arrays["counts"], arrays["prior"]
    except (OSError, ValueError, KeyError) as error:
        raise ModelUnusable(f"model: {path} is not a vision model ({error}); train it again") from error
    if header.get("format") != FORMAT:
        raise ModelUnusable(
            f"model: {path} has format {header.get('format')}, {FORMAT} is read; train it again"
        )
    model = VisionModel.of(counts, prior)
    if model.hash != header.get("hash"):
        raise ModelUnusable(f"model: {path} was altered: its hash is {model.hash}, not {header.get('hash')}")
    return model
