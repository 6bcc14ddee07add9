"""A trained recogniser: an encoder and the packed prototypes learned for it, as one value and one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from emily_instinct import archive, hypervector
from emily_instinct.encoders import FourierEncoder, RecordEncoder
from emily_instinct.errors import InstinctError
from emily_instinct.item_memory import ItemMemory, Match
from emily_instinct.learning import adapt_packed, centroid

FORMAT = 1
_ENCODER = "encoder."
_ITEMS = "items"


@dataclass(frozen=True, eq=False)
class Classifier[Encoder: (FourierEncoder, RecordEncoder)]:
    """Recognises readings.

    Attributes:
        encoder: Makes a hypervector of readings.
        memory: The packed prototype of each label.

    Raises:
        InstinctError: They differ in dimension.
    """

    encoder: Encoder
    memory: ItemMemory

    def __post_init__(self) -> None:
        if self.encoder.dimension != self.memory.dimension:
            raise InstinctError(
                f"memory: dimension {self.memory.dimension}, but the encoder's is {self.encoder.dimension}"
            )

    def classify(self, readings: NDArray[np.float64]) -> Match:
        """What `(inputs,)` readings are recognised as."""
        return self.memory.match(hypervector.pack_signs(self.encoder.encode(readings)))

    def to_bytes(self) -> bytes:
        """The classifier as a file; equal classifiers give equal bytes (see `archive.digest`)."""
        header = {
            "format": FORMAT,
            "kind": type(self.encoder).__name__,
            "labels": self.memory.labels,
            "dimension": self.memory.dimension,
        }
        arrays = {_ITEMS: self.memory.items}
        for field in fields(self.encoder):
            value = getattr(self.encoder, field.name)
            (arrays if isinstance(value, np.ndarray) else header)[_ENCODER + field.name] = value
        return archive.pack(header, arrays)

    @classmethod
    def from_bytes(cls, data: bytes, encoder: type[Encoder]) -> Classifier[Encoder]:
        """The classifier of a file, made with the type of encoder that is expected.

        Raises:
            InstinctError: The file is torn, of another format or of another type of encoder.
        """
        header, arrays = archive.unpack(data)
        found, expected = (header.get("format"), header.get("kind")), (FORMAT, encoder.__name__)
        if found != expected:
            raise InstinctError(f"model file: format and encoder are {found}, not {expected}; train it again")
        parts = {
            name.removeprefix(_ENCODER): value
            for name, value in (header | arrays).items()
            if name.startswith(_ENCODER)
        }
        try:
            memory = ItemMemory(
                labels=tuple(header["labels"]), items=arrays[_ITEMS], dimension=header["dimension"]
            )
            return cls(encoder=encoder(**parts), memory=memory)
        except (KeyError, TypeError) as failure:
            raise InstinctError(f"model file: incomplete ({failure}); train it again") from None


def train[Encoder: (FourierEncoder, RecordEncoder)](
    encoder: Encoder,
    readings: NDArray[np.float64],
    labels: Sequence[str],
    *,
    rng: np.random.Generator,
    epochs: int = 20,
    margin: float = 0.05,
) -> Classifier[Encoder]:
    """A classifier of `(n, inputs)` readings that were named by n labels.

    Args:
        rng: Orders the examples.
        epochs, margin: See `learning.adapt_packed`; records want a narrow margin, Fourier features one of
            0.15 or so, as they set classes further apart.
    """
    names, targets = np.unique(np.asarray(labels), return_inverse=True)
    examples = np.where(encoder.encode(readings) >= 0, 1.0, -1.0)
    prototypes = adapt_packed(
        centroid(examples, targets, len(names)), examples, targets, epochs=epochs, margin=margin, rng=rng
    )
    memory = ItemMemory(
        labels=tuple(names.tolist()),
        items=hypervector.pack_signs(prototypes),
        dimension=examples.shape[1],
    )
    return Classifier(encoder=encoder, memory=memory)
