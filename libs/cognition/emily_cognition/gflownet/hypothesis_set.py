"""Hypotheses composed from a vocabulary: one value for each of several named attributes, in any order."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emily_cognition.gflownet.environment import Environment
from emily_cognition.gflownet.errors import GFlowNetError
from emily_cognition.gflownet.graph import NONE, Graph, Real, require_tabular

Hypothesis = dict[str, object]


@dataclass(frozen=True)
class HypothesisSet:
    """All hypotheses over a vocabulary; they are objects, in the order of `itertools.product`.

    Attributes:
        vocabulary: The values of each attribute. A subset has the values False and True for each member.
    """

    vocabulary: Mapping[str, Sequence[object]]

    def __post_init__(self) -> None:
        if not self.vocabulary:
            raise GFlowNetError("vocabulary: needs at least one attribute")
        for name, values in self.vocabulary.items():
            if not values:
                raise GFlowNetError(f"vocabulary: attribute {name!r} needs at least one value")
        require_tabular(math.prod(size + 1 for size in self._sizes))

    def environment(self, log_reward: Real | Callable[[Hypothesis], float]) -> Environment:
        """A state says which attributes have which value; an action gives one attribute its value.

        Args:
            log_reward: (X,), or a function of a hypothesis.
        """
        radices = tuple(size + 1 for size in self._sizes)
        count = math.prod(radices)
        digits = np.stack(np.unravel_index(np.arange(count), radices), axis=1)
        strides = [math.prod(radices[i + 1 :]) for i in range(len(radices))]
        chosen = [
            np.where(digits[:, [i]] == 0, np.arange(count)[:, None] + strides[i] * np.arange(1, radix), NONE)
            for i, radix in enumerate(radices)
        ]
        whole = (digits > 0).all(axis=1)
        rewards = (
            [log_reward(self.describe(item)) for item in range(math.prod(self._sizes))]
            if callable(log_reward)
            else log_reward
        )
        graph = Graph(
            children=np.column_stack([*chosen, np.where(whole, count, NONE)]),
            features=np.hstack([np.eye(radix)[digits[:, i]] for i, radix in enumerate(radices)]),
        )
        return Environment(
            graph=graph,
            log_reward=np.asarray(rewards, dtype=np.float64),
        )

    def describe(self, item: int) -> Hypothesis:
        """The hypothesis that an object is."""
        places = np.unravel_index(item, self._sizes)
        return {
            name: values[int(place)]
            for (name, values), place in zip(self.vocabulary.items(), places, strict=True)
        }

    @property
    def _sizes(self) -> tuple[int, ...]:
        return tuple(len(values) for values in self.vocabulary.values())
