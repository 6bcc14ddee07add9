"""How a GFlowNet is trained: the loss, the batch, the rates, and where its experience comes from."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from emily_cognition.gflownet.errors import GFlowNetError
from emily_cognition.gflownet.losses import Weighting


class Objective(enum.Enum):
    """Which loss is minimised."""

    TRAJECTORY_BALANCE = "TB"
    SUB_TRAJECTORY_BALANCE = "SubTB"
    DETAILED_BALANCE = "DB"
    LOG_PARTITION_VARIANCE = "VarGrad"


@dataclass(frozen=True)
class Recipe:
    """Constants of training.

    Attributes:
        objective: The loss.
        batch: New walks an iteration.
        replayed: Remembered objects an iteration, retraced backwards.
        memory: Most objects remembered.
        epsilon: Share of exploring steps that are taken uniformly.
        rate: Adam's, of the network.
        rate_log_partition: Adam's, of log Z; trajectory balance alone has one.
        weighting, lamda: Of pieces of walks; sub-trajectory balance alone has them.
    """

    objective: Objective
    batch: int = 16
    replayed: int = 0
    memory: int = 1024
    epsilon: float = 0.0
    rate: float = 1e-3
    rate_log_partition: float = 0.1
    weighting: Weighting = Weighting.GEOMETRIC_WITHIN
    lamda: float = 0.9

    def __post_init__(self) -> None:
        for name, least in (("batch", 1), ("replayed", 0), ("memory", 1)):
            if getattr(self, name) < least:
                raise GFlowNetError(f"{name}: {getattr(self, name)} is below {least}")
        for name in ("rate", "rate_log_partition", "lamda"):
            if not getattr(self, name) > 0:
                raise GFlowNetError(f"{name}: {getattr(self, name)} is not above 0")
        if not 0 <= self.epsilon <= 1:
            raise GFlowNetError(f"epsilon: {self.epsilon} is not in [0, 1]")


TRAJECTORY_BALANCE = Recipe(Objective.TRAJECTORY_BALANCE)
SUB_TRAJECTORY_BALANCE = Recipe(Objective.SUB_TRAJECTORY_BALANCE)
LOG_PARTITION_VARIANCE = Recipe(Objective.LOG_PARTITION_VARIANCE)
DETAILED_BALANCE = Recipe(Objective.DETAILED_BALANCE)
TRAJECTORY_BALANCE_WITH_REPLAY = Recipe(Objective.TRAJECTORY_BALANCE, replayed=16, epsilon=0.05)

RECIPES = {
    "V1": replace(DETAILED_BALANCE, batch=64, rate=1e-2),
    "V2": replace(TRAJECTORY_BALANCE_WITH_REPLAY, batch=64, replayed=64, rate=1e-2),
}
"""The versions that a flag chooses between; batches and rates suit small sets of hypotheses."""
