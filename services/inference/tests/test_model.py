from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from emily_inference import train as command
from emily_inference.errors import ModelUnusable
from emily_inference.vision.beliefs import Reading, likelihood, posterior
from emily_inference.vision.grey import level_of
from emily_inference.vision.hypotheses import UNCHANGED
from emily_inference.vision.model import VisionModel, load, save
from emily_inference.vision.training import train
from numpy.typing import NDArray

type Figures = Callable[[int, int], tuple[NDArray[np.float64], NDArray[np.int64]]]


def test_a_trained_model_knows_pictures_that_it_was_not_trained_on(
    model: VisionModel, figures: Figures
) -> None:
    pictures, labels = figures(2, 5)
    compiled = likelihood(model.counts, model.prior, (UNCHANGED,), np.ones(1))
    told = [
        posterior(compiled, tuple(Reading(place, int(level), 1.0) for place, level in enumerate(levels)))
        .sum(axis=1)
        .argmax()
        for levels in level_of(pictures)
    ]
    assert np.mean(np.array(told) == labels) == 1.0


def test_training_tells_styles_apart(model: VisionModel) -> None:
    expected = model.counts / model.counts.sum(axis=1, keepdims=True)
    between = np.abs(expected[..., 0] - expected[..., 1]).sum(axis=1).mean(axis=0)
    assert np.all(between > 0.3)


def test_the_same_pictures_and_seed_give_the_same_model(model: VisionModel, figures: Figures) -> None:
    assert train(*figures(1, 30), styles=2, seed=0).hash == model.hash
    assert train(*figures(3, 30), styles=2, seed=0).hash != model.hash


def test_the_command_writes_a_model_that_can_be_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], figures: Figures
) -> None:
    images, labels = figures(1, 12)
    np.savez(tmp_path / "data.npz", images=images, labels=labels)
    command.main(["--data", str(tmp_path / "data.npz"), "--out", str(tmp_path / "deep" / "model.npz")])
    loaded = load(tmp_path / "deep" / "model.npz")
    assert loaded.hash in capsys.readouterr().out
    assert loaded.prior.shape == (10, 10)


def test_a_missing_model_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match=r"python -m emily_inference\.train"):
        load(tmp_path / "none.npz")


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "noise.npz"
    path.write_bytes(b"not an archive")
    with pytest.raises(ModelUnusable, match="not a vision model"):
        load(path)


def test_an_altered_model_is_refused(model: VisionModel, tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    save(VisionModel(counts=model.counts + 1, prior=model.prior, hash=model.hash), path)
    with pytest.raises(ModelUnusable, match="altered"):
        load(path)


def test_a_model_of_another_format_is_refused(
    model: VisionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.npz"
    with monkeypatch.context() as patched:
        patched.setattr("emily_inference.vision.model.FORMAT", 99)
        save(model, path)
    with pytest.raises(ModelUnusable, match="format 99"):
        load(path)


def test_arrays_that_are_no_model_are_refused_with_the_field_named(model: VisionModel) -> None:
    with pytest.raises(ModelUnusable, match="prior"):
        VisionModel.of(model.counts, model.prior * 2)
    with pytest.raises(ModelUnusable, match="counts"):
        VisionModel.of(model.counts * 0, model.prior)
