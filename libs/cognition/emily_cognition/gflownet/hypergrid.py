"""The hypergrid: walk up a grid and stop anywhere; rewards peak near the corners (Bengio et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emily_cognition.gflownet.environment import Environment
from emily_cognition.gflownet.errors import GFlowNetError
from emily_cognition.gflownet.graph import NONE, Graph, Indices, require_tabular


@dataclass(frozen=True)
class HyperGrid:
    """A grid of `height`^`dimensions` cells; cells are objects, in row-major order.

    R(x) = R0 + R1 prod_d [0.25 < |x_d/(H-1) - 0.5|] + R2 prod_d [0.3 < |x_d/(H-1) - 0.5| < 0.4]

    With two values an axis it composes subsets: a cell is a set of named things, absent or present.
    """

    dimensions: int = 2
    height: int = 8
    R0: float = 0.1
    R1: float = 0.5
    R2: float = 2.0

    def __post_init__(self) -> None:
        if self.dimensions < 1 or self.height < 2:
            raise GFlowNetError(
                f"dimensions, height: {self.dimensions}, {self.height} must be at least 1 and 2"
            )
        require_tabular(self.height**self.dimensions)

    def environment(self) -> Environment:
        """One action an axis, and one that stops; features are one-hot coordinates."""
        cells = self._cells()
        count = len(cells)
        strides = self.height ** np.arange(self.dimensions - 1, -1, -1)
        steps = np.where(cells < self.height - 1, np.arange(count)[:, None] + strides, NONE)
        span = self.height - 1
        tenths = 10 * np.abs(2 * cells - span)  # from the middle, in units of 1 / (20 span): exact
        outer = (tenths > 5 * span).all(axis=1)
        band = ((tenths > 6 * span) & (tenths < 8 * span)).all(axis=1)
        graph = Graph(
            children=np.column_stack([steps, np.full(count, count)]),
            features=np.eye(self.height)[cells].reshape(count, -1),
        )
        return Environment(
            graph=graph,
            log_reward=np.log(self.R0 + self.R1 * outer + self.R2 * band),
        )

    def describe(self, item: int) -> tuple[int, ...]:
        """The coordinates of an object."""
        return tuple(int(place) for place in self._cells()[item])

    def _cells(self) -> Indices:
        axes = np.indices((self.height,) * self.dimensions)
        return np.asarray(axes.reshape(self.dimensions, -1).T)
