"""Ten drawn figures to recognise, and stimuli a moment apart."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from emily_contracts import Outcome, Signal, Stimulus, successor_id, uuid7
from emily_reflex.recognition import VisionMemory, save, train
from emily_reflex.service import Reflex
from emily_reflex.settings import ReflexSettings
from numpy.typing import NDArray

START = datetime(2026, 1, 1, 12, tzinfo=UTC)

type Figures = Callable[[int, int], tuple[NDArray[np.float64], NDArray[np.int64]]]
type Sense = Callable[..., Stimulus]
type Reward = Callable[..., Outcome]
type Born = Callable[..., Reflex]


def drawn_figures(seed: int, each: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Noisy pictures of the ten figures, (N, 64), and which figure each one shows."""
    drawn = np.random.default_rng(0).uniform(0, 16, (10, 64)).round()
    labels = np.repeat(np.arange(10), each)
    pictures = drawn[labels] + np.random.default_rng(seed).normal(0, 1, (len(labels), 64))
    return pictures.clip(0, 16), labels


@pytest.fixture(scope="session")
def figures() -> Figures:
    return drawn_figures


@pytest.fixture(scope="session")
def memory() -> VisionMemory:
    return train(*drawn_figures(1, 10), seed=0)


@pytest.fixture(scope="session")
def model_file(memory: VisionMemory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "reflex.npz"
    save(memory, path)
    return path


@pytest.fixture(scope="session")
def born(model_file: Path) -> Born:
    """Makes reflex minds with the given settings."""

    def mind(**given: object) -> Reflex:
        return Reflex(ReflexSettings(model=model_file, **given))  # type: ignore[arg-type]

    return mind


@pytest.fixture
def sense() -> Sense:
    """Makes stimuli, each 40 ms after the one before."""
    moment = 0

    def stimulus(
        *signals: Signal,
        modality: str = "vision",
        subject: str = "ann",
        episode: str = "first",
        attended: str | None = None,
        text: str | None = None,
        after_s: float = 0.04,
    ) -> Stimulus:
        nonlocal moment
        moment += round(1000 * after_s)
        at = START + timedelta(milliseconds=moment)
        id = uuid7(at, moment.to_bytes(10))  # noqa: A001
        return Stimulus(
            id=id,
            at=at,
            stimulus_id=id,
            modality=modality,
            subject=subject,
            episode=episode,
            attended=attended,
            signals=signals,
            text=text,
        )

    return stimulus


@pytest.fixture
def reward(sense: Sense) -> Reward:
    """Makes outcomes of an earlier stimulus."""

    def outcome(reward: float, modality: str = "vision") -> Outcome:
        cause = sense(Signal(channel="fovea", place=0, values=(0.0,)), modality=modality)
        return Outcome(
            id=successor_id(cause.id, "outcome"),
            at=cause.at,
            stimulus_id=cause.id,
            modality=modality,
            subject="ann",
            episode="first",
            decision_id=successor_id(cause.id, "decision"),
            reward=reward,
        )

    return outcome
