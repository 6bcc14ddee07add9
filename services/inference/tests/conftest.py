"""A small world of its own: ten drawn figures, each in two styles, so that tests need no data set."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from emily_contracts import Broadcast, Conscious, Modulation, Outcome, successor_id, uuid7
from emily_inference.service import Inference
from emily_inference.settings import InferenceSettings
from emily_inference.vision.model import VisionModel, save
from emily_inference.vision.training import train
from numpy.typing import NDArray

START = datetime(2026, 1, 1, tzinfo=UTC)


type Figures = Callable[[int, int], tuple[NDArray[np.float64], NDArray[np.int64]]]
type Show = Callable[..., Broadcast]


def drawn_figures(seed: int, each: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Noisy pictures of the ten figures, (N, 64), and which figure each one shows."""
    drawn = np.random.default_rng(0).uniform(0, 16, (10, 2, 64)).round()
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(10), each)
    pictures = drawn[labels, rng.integers(0, 2, len(labels))] + rng.normal(0, 1, (len(labels), 64))
    return pictures.clip(0, 16), labels


@pytest.fixture(scope="session")
def figures() -> Figures:
    return drawn_figures


@pytest.fixture(scope="session")
def model(figures: Figures) -> VisionModel:
    return train(*figures(1, 30), styles=2, seed=0)


@pytest.fixture(scope="session")
def model_file(model: VisionModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "vision.npz"
    save(model, path)
    return path


@pytest.fixture
def inference(model_file: Path) -> Inference:
    return Inference(InferenceSettings(model=model_file))


@pytest.fixture
def show() -> Show:
    """Makes broadcasts, each a moment after the one before."""
    moment = 0

    def broadcast(
        *contents: tuple[str, int | None, tuple[float, ...]],
        modality: str = "vision",
        subject: str = "ann",
        episode: str = "first",
        outcome: Outcome | None = None,
        reflex: str | None = None,
        modulation: Modulation = Modulation(),  # noqa: B008
        stimulus: UUID | None = None,
        error: float = 0.0,
        flags: dict[str, str] | None = None,
    ) -> Broadcast:
        nonlocal moment
        moment += 1
        at = START + timedelta(milliseconds=40 * moment)
        message = uuid7(at, moment.to_bytes(10))
        return Broadcast(
            id=successor_id(message, "broadcast"),
            at=at,
            stimulus_id=stimulus or message,
            modality=modality,
            subject=subject,
            episode=episode,
            modulation=modulation,
            contents=tuple(
                Conscious(channel=channel, place=place, values=values, activation=1.0)
                for channel, place, values in contents
            ),
            outcome=outcome,
            reflex=reflex,
            reward_prediction_error=error,
            flags=flags or {},
        )

    return broadcast


@pytest.fixture
def tell(show: Show) -> Callable[..., Broadcast]:
    """Makes broadcasts of outcomes."""

    def broadcast(label: str | None, *, subject: str = "ann", episode: str = "first") -> Broadcast:
        cause = show(subject=subject, episode=episode)
        outcome = Outcome(
            id=successor_id(cause.id, "outcome"),
            at=cause.at,
            stimulus_id=cause.stimulus_id,
            modality="vision",
            subject=subject,
            episode=episode,
            decision_id=cause.id,
            reward=1.0,
            label=label,
        )
        return show(subject=subject, episode=episode, outcome=outcome)

    return broadcast
