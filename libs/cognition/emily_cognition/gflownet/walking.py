"""Walks through a graph: forwards by P_F to new objects, backwards from known ones.

A batch of B walks of at most L steps is two arrays. The end is state N, which every walk stays in once it is
there; the action that ends a walk is the last, A - 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from emily_cognition.gflownet.graph import Floats, Graph, Indices, Real, cumulative
from emily_cognition.gflownet.losses import Loss, Walks
from emily_cognition.gflownet.policy import Policy


@dataclass(frozen=True, eq=False)
class Trajectories:
    """Whole walks from state 0 to the end.

    Attributes:
        states: (B, L + 1), padded with N.
        actions: (B, L), padded with A - 1.
    """

    states: Indices
    actions: Indices

    def lengths(self, graph: Graph) -> Indices:
        """(B,) steps of each walk, the ending one included."""
        return np.asarray((self.states < graph.states).sum(axis=1))

    def objects(self, graph: Graph) -> Indices:
        """(B,) the object that each walk ends with."""
        last = self.states[np.arange(len(self.states)), self.lengths(graph) - 1]
        return graph.object_of[last]

    def joined(self, other: Trajectories, graph: Graph) -> Trajectories:
        """Both batches as one."""
        steps = max(self.actions.shape[1], other.actions.shape[1])
        both = (self, other)
        return Trajectories(
            np.vstack([_padded(item.states, steps + 1, graph.states) for item in both]),
            np.vstack([_padded(item.actions, steps, graph.actions - 1) for item in both]),
        )


def explore(
    policy: Policy, count: int, rng: np.random.Generator, *, epsilon: float = 0.0, temperature: float = 1.0
) -> Trajectories:
    """Walks forwards from state 0.

    Args:
        policy: Whose P_F is followed.
        count: B.
        rng: Of the draws.
        epsilon: Share of steps that are taken uniformly among the legal actions.
        temperature: > 1 flattens each step's choice, < 1 sharpens it.
    """
    graph = policy.graph
    running = np.zeros((graph.states + 1, graph.actions))
    running[-1, -1] = 1.0

    def learn(states: Indices) -> None:
        tempered = np.exp(policy.log_forward[states] / temperature)
        if epsilon > 0:
            legal = graph.forward_mask[states]
            tempered *= (1.0 - epsilon) / tempered.sum(axis=1, keepdims=True)
            tempered += epsilon * legal / legal.sum(axis=1, keepdims=True)
        running[states] = cumulative(tempered)

    def choices(states: Indices) -> Real:
        fresh = policy.reveal(states)
        if len(fresh):
            learn(fresh)
        return running[states]

    learn(policy.revealed)
    start = np.zeros(count, dtype=np.int64)
    return Trajectories(*_walk(graph.onwards, choices, start, graph.states, rng))


def retrace(graph: Graph, objects: Indices, rng: np.random.Generator) -> Trajectories:
    """Walks that lead to given objects, drawn backwards uniformly among the legal ways.

    The losses hold for walks however they were drawn, and these ask nothing of the network on the way.

    Args:
        graph: Of the objects.
        objects: (B,).
        rng: Of the draws.
    """
    states, actions = _walk(
        graph.backwards, graph.uniform_backwards.__getitem__, graph.objects[objects], 0, rng
    )
    length = (states != 0).sum(axis=1, keepdims=True)
    place = length - np.arange(states.shape[1] + 1)
    onwards = np.take_along_axis(states, np.clip(place, 0, states.shape[1] - 1), axis=1)
    taken = np.take_along_axis(np.pad(actions, ((0, 0), (0, 1))), np.clip(place[:, :-1] - 1, 0, None), axis=1)
    return Trajectories(
        np.where(place >= 0, onwards, graph.states),
        np.where(place[:, :-1] > 0, taken, graph.actions - 1),
    )


def judged(policy: Policy, trajectories: Trajectories, log_reward: Real, log_partition: float) -> Walks:
    """What the losses need of walks; flows are scaled so that log F(s_0) is log Z."""
    graph = policy.graph
    policy.reveal(trajectories.states.ravel())
    left, entered, actions = trajectories.states[:, :-1], trajectories.states[:, 1:], trajectories.actions
    flow = log_partition + policy.log_flow[left] - policy.log_flow[0]
    return Walks(
        log_ratio=policy.log_forward[left, actions] - policy.log_backward[entered, actions],
        log_flow=np.where(left < graph.states, flow, 0.0),
        log_reward=log_reward[trajectories.objects(graph)],
        lengths=trajectories.lengths(graph),
    )


def gradient(policy: Policy, trajectories: Trajectories, loss: Loss) -> Floats:
    """The gradient of the network's parameters from that of the steps of the walks."""
    left, entered, actions = trajectories.states[:, :-1], trajectories.states[:, 1:], trajectories.actions
    shape = policy.log_forward.shape
    flow = np.bincount(left.ravel(), loss.log_flow.ravel(), minlength=shape[0])
    flow[0] -= loss.log_flow.sum()
    return policy.gradient(
        _scattered(left * shape[1] + actions, loss.log_forward, shape),
        _scattered(entered * shape[1] + actions, -loss.log_forward, shape),
        flow,
    )


def _walk(
    following: Indices,
    choices: Callable[[Indices], Real],
    start: Indices,
    stop: int,
    rng: np.random.Generator,
) -> tuple[Indices, Indices]:
    """States (B, L + 1) and actions (B, L) until all have stopped, by running sums of chances."""
    states, actions = [start], []
    while (states[-1] != stop).any():
        state = states[-1]
        action = (rng.random(len(state))[:, None] >= choices(state)).sum(axis=1)
        actions.append(action)
        states.append(following[state, action])
    return np.stack(states, axis=1), np.array(actions, dtype=np.int64).reshape(len(actions), len(start)).T


def _scattered(index: Indices, values: Real, shape: tuple[int, int]) -> Real:
    return np.bincount(index.ravel(), values.ravel(), minlength=shape[0] * shape[1]).reshape(shape)


def _padded(rows: Indices, width: int, value: int) -> Indices:
    return np.pad(rows, ((0, 0), (0, width - rows.shape[1])), constant_values=value)
