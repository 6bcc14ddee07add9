"""What a network says of the states of a graph: where to go, where from, and how much flows through.

One shared trunk has three heads: logits of the forward policy P_F(action | state), of the backward policy
P_B(action that led here | state), and log F(state). States are looked at once each, and only when they are
asked for; a small graph is looked at as a whole, which costs less than asking twice.
"""

from __future__ import annotations

import numpy as np

from emily_cognition.gflownet.graph import Floats, Graph, Indices, Real
from emily_cognition.gflownet.network import Network

SMALL = 1024
_ILLEGAL = -1e9


class Policy:
    """The tables of a network's answers, filled as states are revealed.

    Attributes:
        log_forward: (N + 1, A) log P_F; 0 in the row of the end.
        log_backward: (N + 1, A) log P_B; 0 in the row of the end, so that ending is free backwards.
        log_flow: (N + 1,) log F; 0 for the end.
    """

    def __init__(self, network: Network, parameters: Floats, graph: Graph) -> None:
        states, actions = graph.states, graph.actions
        self.graph = graph
        self._log_both = np.zeros((states + 1, 2, actions))
        self.log_forward = self._log_both[:, 0]
        self.log_backward = self._log_both[:, 1]
        self.log_flow = np.zeros(states + 1)
        self._network = network
        self._layers = network.layers(parameters)
        self._claim = np.zeros(states + 1, dtype=np.int64)
        self._unseen = np.ones(states + 1, dtype=np.bool_)
        self._unseen[states] = False
        self._seen = np.empty(states, dtype=np.int64)
        self._values = [np.empty((states, size), dtype=parameters.dtype) for size in network.sizes[:-1]]
        self._count = 0
        if states <= SMALL:
            self._look(np.arange(states))

    def reveal(self, states: Indices) -> Indices:
        """Fill the rows of states; returns those that were not known."""
        fresh = states[self._unseen[states]]
        if len(fresh):
            turn = np.arange(len(fresh))
            self._claim[fresh] = turn  # of equal states one claims the row
            fresh = fresh[self._claim[fresh] == turn]
            self._look(fresh)
        return fresh

    @property
    def revealed(self) -> Indices:
        """The states whose rows are filled."""
        return np.flatnonzero(~self._unseen[:-1])

    def gradient(self, log_forward: Real, log_backward: Real, log_flow: Real) -> Floats:
        """The gradient of the parameters from that of the tables; only revealed rows matter."""
        seen = self._seen[: self._count]
        slope = np.stack([log_forward[seen], log_backward[seen]], axis=1)
        slope -= np.exp(self._log_both[seen]) * slope.sum(axis=2, keepdims=True)
        slope[:, 1, -1] = log_flow[seen]
        slope = slope.reshape(len(seen), -1)
        values = [each[: self._count] for each in self._values]
        used = np.flatnonzero(slope.any(axis=1))
        if len(used) < len(seen):
            values, slope = [each[used] for each in values], slope[used]
        return self._network.backward(self._layers, values, slope)

    def _look(self, states: Indices) -> None:
        """Outputs are A logits forwards, A - 1 backwards, and log F where ending backwards would be."""
        rows = slice(self._count, self._count + len(states))
        self._count = rows.stop
        self._seen[rows] = states
        values = [each[rows] for each in self._values]
        values[0][:] = self.graph.features[states]
        logits = self._network.forward(self._layers, values).astype(np.float64).reshape(len(states), 2, -1)
        self._log_both[states] = _log_softmax(np.where(self.graph.legal[states], logits, _ILLEGAL))
        self.log_flow[states] = logits[:, 1, -1]
        self._unseen[states] = False


def _log_softmax(logits: Real) -> Real:
    logits -= logits.max(axis=-1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return logits
