"""What a GFlowNet samples from: a graph of objects and the reward of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from emily_cognition.gflownet.errors import GFlowNetError
from emily_cognition.gflownet.graph import Graph, Real


@dataclass(frozen=True, eq=False)
class Environment:
    """Objects and their rewards.

    Attributes:
        graph: How objects are composed.
        log_reward: (X,) of each object, in the order of the states that may end. Finite: an object without
            any reward gets a floor instead.

    Raises:
        GFlowNetError: The rewards don't fit the graph, or one is not finite.
    """

    graph: Graph
    log_reward: Real

    def __post_init__(self) -> None:
        if self.log_reward.shape != self.graph.objects.shape:
            raise GFlowNetError(
                f"log_reward: shape {self.log_reward.shape} must be {self.graph.objects.shape}, one an object"
            )
        if not np.isfinite(self.log_reward).all():
            worst = int(np.flatnonzero(~np.isfinite(self.log_reward))[0])
            raise GFlowNetError(
                f"log_reward of object {worst}: {self.log_reward[worst]} is not finite; give it a floor"
            )

    def rewarded(self, log_reward: Real | Callable[[int], float]) -> Environment:
        """The same graph under other rewards, as evidence comes in.

        Args:
            log_reward: (X,), or a function of an object's index.
        """
        objects = range(len(self.graph.objects))
        rewards = list(map(log_reward, objects)) if callable(log_reward) else log_reward
        return replace(self, log_reward=np.asarray(rewards, dtype=np.float64))

    @property
    def log_partition(self) -> float:
        """log Z, Z = sum of the rewards."""
        return float(np.logaddexp.reduce(self.log_reward))

    @property
    def target(self) -> Real:
        """(X,) p(x) = R(x) / Z."""
        return np.asarray(np.exp(self.log_reward - self.log_partition))
