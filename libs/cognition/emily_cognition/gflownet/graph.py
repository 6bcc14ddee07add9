"""How objects are composed step by step: a finite directed acyclic graph of partial and whole objects.

Shapes: N states (state 0 is where every object begins), A actions of which the last ends the walk, X objects.
State N stands for the end. The graph is a table, so that a batch of walks is a few lookups a step and the
sampler's distribution is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emily_cognition.gflownet.errors import GFlowNetError

Real = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]
"""What a network computes in; probabilities are always `Real`."""
Indices = NDArray[np.int64]

MOST_STATES = 1 << 18
NONE = -1


@dataclass(frozen=True, eq=False)
class Graph:
    """States, the actions between them and what a network sees of them; its tables are derived once.

    Attributes:
        children: (N, A) the state that an action leads to; N in the last column where the walk may end;
            -1 where an action is not legal. An action leads to a state from one other state only.
        features: (N, F) what a network sees of a state.

    Raises:
        GFlowNetError: By the tables, when the graph has a cycle, a dead end or a state out of reach.
    """

    children: Indices
    features: Real

    @property
    def states(self) -> int:
        """N."""
        return len(self.children)

    @property
    def actions(self) -> int:
        """A."""
        return int(self.children.shape[1])

    @cached_property
    def objects(self) -> Indices:
        """(X,) states that may end."""
        return np.flatnonzero(self.children[:, -1] == self.states)

    @cached_property
    def object_of(self) -> Indices:
        """(N,) the object that a state is; -1 for a partial one."""
        index = np.full(self.states, NONE)
        index[self.objects] = np.arange(len(self.objects))
        return index

    @cached_property
    def parents(self) -> Indices:
        """(N, A) the state that an action came from; -1 where none did."""
        parents = np.full_like(self.children, NONE)
        origin, action = np.nonzero(self.children[:, :-1] != NONE)
        child = self.children[origin, action]
        parents[child, action] = origin
        if (parents[:, :-1] != NONE).sum() != len(origin):
            raise GFlowNetError("children: an action leads to one state from two states")
        return parents

    @cached_property
    def forward_mask(self) -> NDArray[np.bool_]:
        """(N, A) which actions are legal."""
        return np.asarray(self.children != NONE)

    @cached_property
    def backward_mask(self) -> NDArray[np.bool_]:
        """(N, A) which actions may have led here; the last column is False, for ending leads to the end."""
        return np.asarray(self.parents != NONE)

    @cached_property
    def legal(self) -> NDArray[np.bool_]:
        """(N, 2, A) both masks, forwards and backwards."""
        return np.stack([self.forward_mask, self.backward_mask], axis=1)

    @cached_property
    def onwards(self) -> Indices:
        """(N + 1, A) where an action leads; the end and what is not legal lead to the end."""
        legal = np.where(self.forward_mask, self.children, self.states)
        return np.vstack([legal, np.full((1, self.actions), self.states)])

    @cached_property
    def backwards(self) -> Indices:
        """(N + 1, A) where an action came from; state 0 comes from itself."""
        backwards = np.vstack([self.parents, np.full((1, self.actions), self.states)])
        backwards[0] = 0
        return backwards

    @cached_property
    def uniform_backwards(self) -> Real:
        """(N + 1, A) running sums of equal chances of the actions that may have led here."""
        chances = np.vstack([self.backward_mask, np.zeros((1, self.actions))])
        chances[[0, -1], -1] = 1.0
        return cumulative(chances)

    @cached_property
    def levels(self) -> tuple[Indices, ...]:
        """The states by the length of the longest way to them."""
        level = np.full(self.states, NONE)
        frontier = np.zeros(1, dtype=np.int64)
        for depth in range(self.states + 1):
            level[frontier] = depth
            following = self.children[frontier, :-1]
            frontier = np.unique(following[following != NONE])
            if not len(frontier):
                break
        else:
            raise GFlowNetError("children: the graph has a cycle")
        if (level == NONE).any() or (self.children == NONE).all(axis=1).any():
            raise GFlowNetError("children: a state is a dead end or can't be reached from state 0")
        order = np.argsort(level, kind="stable")
        return tuple(np.split(order, np.cumsum(np.bincount(level))[:-1]))


def cumulative(chances: Real) -> Real:
    """Running sums that end in exactly 1, so that a draw below 1 never meets an illegal action."""
    running = np.cumsum(chances, axis=1)
    running /= running[:, -1:]
    return running


def require_tabular(states: int) -> None:
    """Refuse a graph that is too large for tables.

    Raises:
        GFlowNetError: There are more than 2^18 states.
    """
    if states > MOST_STATES:
        raise GFlowNetError(f"states: {states} is above {MOST_STATES}; compose fewer or smaller parts")
