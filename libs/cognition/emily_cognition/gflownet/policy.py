"""What a network says of the states of an environment: where to go, where from, and how much flows through.

One shared trunk has three heads: logits of the forward policy P_F(action | state), of the backward policy
P_B(action that led here | state), and log F(state). States are looked at once each, and only when they are
asked for; a small graph is looked at as a whole, which costs less than asking twice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emily_cognition.gflownet.environment import Environment, Indices, Real
from emily_cognition.gflownet.network import Network

SMALL = 1024
_ILLEGAL = -1e9


class Policy:
    """The tables of a network's answers, filled as states are revealed.

    Attributes:
        log_forward: (N + 1, A) log P_F; 0 in the row of the end.
        log_backward: (N + 1, A) log P_B; 0 in the row of the end and in the last column:
            ending is free backwards.
        log_flow: (N + 1,) log F; 0 for the end.
    """

    def __init__(self, network: Network, parameters: Real, environment: Environment) -> None:
        states, actions = environment.states, environment.actions
        self.environment = environment
        self.log_forward = np.zeros((states + 1, actions))
        self.log_backward = np.zeros((states + 1, actions))
        self.log_flow = np.zeros(states + 1)
        self._network = network
        self._parameters = parameters
        self._unseen = np.ones(states + 1, dtype=np.bool_)
        self._unseen[states] = False
        self._seen: list[Indices] = []
        self._values: list[list[Real]] = []
        if states <= SMALL:
            self._look(np.arange(states))

    def reveal(self, states: Indices) -> Indices:
        """Fill the rows of states; returns those that were not known."""
        fresh: Indices = np.unique(states[self._unseen[states]])
        if len(fresh):
            self._look(fresh)
        return fresh

    @property
    def revealed(self) -> Indices:
        """The states whose rows are filled."""
        return np.flatnonzero(~self._unseen[:-1])

    def gradient(self, log_forward: Real, log_backward: Real, log_flow: Real) -> Real:
        """The gradient of the parameters from that of the tables; only revealed rows matter."""
        seen = np.concatenate(self._seen)
        values = [
            np.concatenate(parts) if len(parts) > 1 else parts[0] for parts in zip(*self._values, strict=True)
        ]
        slope = np.column_stack(
            [
                _through_softmax(log_forward[seen], self.log_forward[seen]),
                _through_softmax(log_backward[seen, :-1], self.log_backward[seen, :-1]),
                log_flow[seen],
            ]
        )
        return self._network.backward(self._parameters, values, slope)

    def _look(self, states: Indices) -> None:
        values = self._network.forward(self._parameters, self.environment.features[states])
        logits, actions = values[-1], self.environment.actions
        self.log_forward[states] = _masked_log_softmax(
            logits[:, :actions], self.environment.forward_mask[states]
        )
        self.log_backward[states, :-1] = _masked_log_softmax(
            logits[:, actions:-1], self.environment.backward_mask[states, :-1]
        )
        self.log_flow[states] = logits[:, -1]
        self._unseen[states] = False
        self._seen.append(states)
        self._values.append(values)


def _masked_log_softmax(logits: Real, legal: NDArray[np.bool_]) -> Real:
    masked = np.where(legal, logits, _ILLEGAL)
    masked -= masked.max(axis=1, keepdims=True)
    masked -= np.log(np.exp(masked).sum(axis=1, keepdims=True))
    return masked


def _through_softmax(slope: Real, log_probabilities: Real) -> Real:
    """The gradient by the logits from that by the log probabilities."""
    return np.asarray(slope - np.exp(log_probabilities) * slope.sum(axis=1, keepdims=True))
