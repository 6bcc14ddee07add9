"""A GFlowNet: a sampler that is trained to draw objects in proportion to their reward.

Source: Bengio et al. 2021.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from emily_cognition.gflownet.environment import Environment
from emily_cognition.gflownet.errors import GFlowNetError
from emily_cognition.gflownet.evaluation import terminating_distribution
from emily_cognition.gflownet.graph import Floats, Indices, Real
from emily_cognition.gflownet.network import Adam, Network
from emily_cognition.gflownet.policy import Policy
from emily_cognition.gflownet.walking import explore


@dataclass(frozen=True, eq=False)
class Sample:
    """Objects drawn.

    Attributes:
        objects: (n,).
        log_probability: (n,) the exact log probability with which the sampler draws each, at temperature 1.
        log_reward: (n,).
    """

    objects: Indices
    log_probability: Real
    log_reward: Real


@dataclass(frozen=True, eq=False)
class GFlowNet:
    """A sampler and all that its training goes on from. `fit` gives a new one.

    Attributes:
        network: Shape of the perceptron: F inputs, outputs 2 A.
        parameters: Of the network.
        log_partition: The learned log Z; NaN before training, which begins with an estimate.
        adam: Moments of the parameters, and those of log Z.
        remembered: Objects that replay draws from, oldest first.
    """

    network: Network
    parameters: Floats
    log_partition: float
    adam: tuple[Adam, Adam]
    remembered: Indices

    @classmethod
    def create(
        cls, environment: Environment, rng: np.random.Generator, *, hidden: tuple[int, ...] = (256, 256)
    ) -> GFlowNet:
        """An untrained sampler for an environment."""
        network = Network((environment.graph.features.shape[1], *hidden, 2 * environment.graph.actions))
        parameters = network.initial(rng)
        return cls(
            network=network,
            parameters=parameters,
            log_partition=math.nan,
            adam=(Adam.of(parameters), Adam.of(np.zeros(1))),
            remembered=np.zeros(0, dtype=np.int64),
        )

    def anew(self) -> GFlowNet:
        """The same sampler, ready to be trained on other rewards: log Z is to be estimated again."""
        return replace(self, log_partition=math.nan, adam=(self.adam[0], Adam.of(np.zeros(1))))

    def policy(self, environment: Environment) -> Policy:
        """What the network says of an environment's states.

        Raises:
            GFlowNetError: The network was made for another vocabulary.
        """
        ends = (self.network.sizes[0], self.network.sizes[-1])
        wanted = (environment.graph.features.shape[1], 2 * environment.graph.actions)
        if ends != wanted:
            raise GFlowNetError(f"network: {ends} inputs and outputs don't fit an environment of {wanted}")
        return Policy(self.network, self.parameters, environment.graph)

    def distribution(self, environment: Environment) -> Real:
        """(X,) the exact probability of drawing each object."""
        policy = self.policy(environment)
        policy.reveal(np.arange(environment.graph.states))
        return terminating_distribution(environment.graph, np.exp(policy.log_forward[:-1]))

    def log_probability(self, environment: Environment, objects: Indices) -> Real:
        """(n,) exact log probability of drawing each of the objects."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.distribution(environment)[objects]))

    def sample(
        self, environment: Environment, count: int, rng: np.random.Generator, *, temperature: float = 1.0
    ) -> Sample:
        """Objects drawn with their log probabilities.

        Args:
            environment: To walk in.
            count: How many.
            rng: Of the draws.
            temperature: > 1 flattens each step's choice, < 1 sharpens it.
        """
        if not temperature > 0:
            raise GFlowNetError(f"temperature: {temperature} is not above 0")
        policy = self.policy(environment)
        objects = explore(policy, count, rng, temperature=temperature).objects(environment.graph)
        return Sample(
            objects=objects,
            log_probability=self.log_probability(environment, objects),
            log_reward=environment.log_reward[objects],
        )
