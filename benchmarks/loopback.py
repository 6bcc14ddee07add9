"""The digits world and the three tiers in one process: the same steps as over the bus, without the bus."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import emily_inference.train
import emily_reflex.train
from emily_contracts import Broadcast, Decision, Message, Outcome, Percept, Stimulus
from emily_inference.service import Inference
from emily_inference.settings import InferenceSettings
from emily_reflex.service import Reflex
from emily_reflex.settings import ReflexSettings
from emily_runtime import Mind
from emily_workspace.service import Workspace
from emily_workspace.settings import WorkspaceSettings
from emily_world.dataset import load_digits, save_training_part, split
from emily_world.digits import DigitsWorld
from emily_world.score import Score
from emily_world.settings import WorldSettings

START = datetime(2026, 1, 1, tzinfo=UTC)
HEARD = (Stimulus, Outcome, Percept, Broadcast)


@dataclass(frozen=True)
class Models:
    """Trained on the training part of one split."""

    seed: int
    reflex: Path
    inference: Path


@dataclass
class Living:
    """A mind with its state and how long each of its steps took, in seconds."""

    mind: Mind[Any, Any]
    state: Any = None
    seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = self.mind.initial()

    def hear(self, message: Message) -> tuple[Message, ...]:
        """What the mind says to a message."""
        begin = time.perf_counter()
        self.state, emissions = self.mind.step(self.state, message)
        self.seconds.append(time.perf_counter() - begin)
        return tuple(emission.message for emission in emissions)


@dataclass
class Tiers:
    """The three tiers of one colour, joined."""

    reflex: Living
    workspace: Living
    inference: Living

    @classmethod
    def of(cls, models: Models, without: str | None = None, seed: int = 0) -> Tiers:
        """New tiers; `without` names one that is ablated: alpha, allostasis, workspace or hypotheses."""
        return cls(
            reflex=Living(
                Reflex(
                    ReflexSettings(
                        model=models.reflex, alpha=without != "alpha", allostasis=without != "allostasis"
                    )
                )
            ),
            workspace=Living(Workspace(WorkspaceSettings(workspace=without != "workspace"))),
            inference=Living(
                Inference(
                    InferenceSettings(model=models.inference, hypotheses=without != "hypotheses", seed=seed)
                )
            ),
        )

    def hear(self, message: Message) -> Decision | None:
        """The decision about a stimulus; none about an outcome."""
        (percept,) = (said for said in self.reflex.hear(message) if isinstance(said, Percept))
        (broadcast,) = self.workspace.hear(percept)
        said = self.inference.hear(broadcast)
        return said[0] if said and isinstance(said[0], Decision) else None


def train(seed: int, folder: Path) -> Models:
    """Models trained as the embedded system trains them, on the training part of a split."""
    data = folder / f"train-{seed}.npz"
    save_training_part(split(load_digits(), seed).train, data, seed)
    models = Models(seed, folder / f"reflex-{seed}.npz", folder / f"inference-{seed}.npz")
    emily_reflex.train.main(["--data", str(data), "--out", str(models.reflex)])
    emily_inference.train.main(["--data", str(data), "--out", str(models.inference)])
    return models


def perceive(
    tiers: Tiers, settings: WorldSettings, on_decision: Callable[[Decision], None] = lambda decision: None
) -> Score:
    """The tiers look at all test pictures of the settings' seed, one subject after another."""
    world = DigitsWorld(settings, split(load_digits(), settings.seed).test, run="loopback", start=START)
    score = Score()
    for subject in range(settings.subjects):
        state, emissions = world.begin(subject)
        messages = deque(message for _, message in emissions)
        while messages:
            message = messages.popleft()
            decision = tiers.hear(message) if isinstance(message, HEARD) else None
            if decision is None:
                continue
            on_decision(decision)
            state, emissions = world.step(state, decision)
            messages.extend(message for _, message in emissions)
        score += state.score
    return score
