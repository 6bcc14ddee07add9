"""Bit sequences, written from left to right; rewards fall with the distance from modes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emily_cognition.gflownet.environment import Environment
from emily_cognition.gflownet.errors import GFlowNetError
from emily_cognition.gflownet.graph import NONE, Graph, require_tabular


@dataclass(frozen=True)
class BitSequence:
    """Sequences of `length` bits; objects count upwards as binary numbers.

    log R(x) = -decay min_y d(x, y), with d the Hamming distance and y the modes (Malkin et al. 2022).
    """

    length: int
    modes: Sequence[str]
    decay: float = 1.0

    def __post_init__(self) -> None:
        if self.length < 1 or not self.modes:
            raise GFlowNetError(f"length, modes: {self.length}, {self.modes!r} must not be empty")
        for mode in self.modes:
            if len(mode) != self.length or set(mode) - {"0", "1"}:
                raise GFlowNetError(f"modes: {mode!r} is not a string of {self.length} bits")
        require_tabular(2 ** (self.length + 1) - 1)

    def environment(self) -> Environment:
        """A binary tree: two actions append a bit, the third ends a whole sequence."""
        count, leaves = 2 ** (self.length + 1) - 1, 2**self.length
        node = np.arange(count)
        whole = node >= leaves - 1
        append = np.where(whole[:, None], NONE, 2 * node[:, None] + np.array([1, 2]))
        written = np.searchsorted(2 ** np.arange(1, self.length + 1), node + 1, side="right")
        place = written[:, None] - 1 - np.arange(self.length)
        bits = ((node[:, None] + 1) >> np.maximum(place, 0)) & 1
        features = np.where(place >= 0, 2.0 * bits - 1.0, 0.0)
        modes = np.array([[2.0 * int(bit) - 1.0 for bit in mode] for mode in self.modes])
        distance = (self.length - features[whole] @ modes.T) / 2.0
        graph = Graph(
            children=np.column_stack([append, np.where(whole, count, NONE)]),
            features=features,
        )
        return Environment(
            graph=graph,
            log_reward=-self.decay * distance.min(axis=1),
        )

    def describe(self, item: int) -> str:
        """The bits of an object."""
        return format(item, f"0{self.length}b")
