"""Training a GFlowNet: explore, replay, balance, step."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from emily_cognition.gflownet import losses
from emily_cognition.gflownet.environment import Environment
from emily_cognition.gflownet.graph import Indices, Real
from emily_cognition.gflownet.losses import Loss, Walks
from emily_cognition.gflownet.model import GFlowNet
from emily_cognition.gflownet.policy import Policy
from emily_cognition.gflownet.recipe import Objective, Recipe
from emily_cognition.gflownet.walking import explore, gradient, judged, retrace


@dataclass(frozen=True, eq=False)
class History:
    """How training went.

    Attributes:
        loss: (iterations,).
        log_partition: (iterations,) log Z after each.
    """

    loss: Real
    log_partition: Real


def fit(
    model: GFlowNet, environment: Environment, recipe: Recipe, *, iterations: int, rng: np.random.Generator
) -> tuple[GFlowNet, History]:
    """The model after more training, and how it went.

    The same model, environment, recipe and state of the generator give the same result bit for bit, however
    the iterations are split over calls. When rewards have changed, go on from `model.anew()`.
    """
    parameters, log_partition = model.parameters.copy(), np.full(1, model.log_partition)
    adam, adam_log_partition = (moments.copy() for moments in model.adam)
    graph, log_reward, remembered = environment.graph, environment.log_reward, model.remembered
    history = History(np.empty(iterations), np.empty(iterations))
    estimates = recipe.objective is Objective.LOG_PARTITION_VARIANCE
    for i in range(iterations):
        policy = Policy(model.network, parameters, graph)
        trajectories = explore(policy, recipe.batch, rng, epsilon=recipe.epsilon)
        found = trajectories.objects(graph)
        if recipe.replayed and len(remembered):
            drawn = _drawn(remembered, log_reward, recipe.replayed, rng)
            trajectories = trajectories.joined(retrace(graph, drawn, rng), graph)
        walks = judged(policy, trajectories, log_reward, log_partition[0])
        if estimates or math.isnan(log_partition[0]):
            log_partition[0] = losses.log_partition_estimate(walks)
            walks = judged(policy, trajectories, log_reward, log_partition[0])
        loss = _loss(walks, recipe)
        adam.move(parameters, gradient(policy, trajectories, loss), recipe.rate)
        adam_log_partition.move(log_partition, np.full(1, loss.log_flow.sum()), recipe.rate_log_partition)
        remembered = _remember(remembered, found, recipe.memory) if recipe.replayed else remembered
        history.loss[i], history.log_partition[i] = loss.value, log_partition[0]
    trained = replace(
        model,
        parameters=parameters,
        log_partition=float(log_partition[0]),
        adam=(adam, adam_log_partition),
        remembered=remembered,
    )
    return trained, history


def _loss(walks: Walks, recipe: Recipe) -> Loss:
    match recipe.objective:
        case Objective.TRAJECTORY_BALANCE:
            return losses.trajectory_balance(walks)
        case Objective.SUB_TRAJECTORY_BALANCE:
            return losses.sub_trajectory_balance(walks, recipe.weighting, recipe.lamda)
        case Objective.DETAILED_BALANCE:
            return losses.detailed_balance(walks)
        case Objective.LOG_PARTITION_VARIANCE:
            return losses.log_partition_variance(walks)


def _drawn(remembered: Indices, log_reward: Real, count: int, rng: np.random.Generator) -> Indices:
    """Remembered objects in proportion to their reward as it is now."""
    rewards = log_reward[remembered]
    share = np.exp(rewards - rewards.max())
    return rng.choice(remembered, size=count, p=share / share.sum())


def _remember(remembered: Indices, found: Indices, most: int) -> Indices:
    """The distinct objects found, oldest first; the oldest are forgotten."""
    fresh = np.setdiff1d(found, remembered)
    return np.concatenate([remembered, fresh])[-most:]
