"""A model goes on from its file as if it had never stopped; a bad file is refused with a reason."""

import io

import numpy as np
import pytest
from emily_cognition.gflownet import GFlowNet, GFlowNetError, HyperGrid, HypothesisSet, checkpoint, fit
from emily_cognition.gflownet.recipe import TRAJECTORY_BALANCE_WITH_REPLAY

GRID = HyperGrid(2, 4).environment()


def _trained(iterations: int) -> tuple[GFlowNet, np.random.Generator]:
    rng = np.random.default_rng(11)
    model = GFlowNet.create(GRID, rng, hidden=(16,))
    model, _ = fit(model, GRID, TRAJECTORY_BALANCE_WITH_REPLAY, iterations=iterations, rng=rng)
    return model, rng


def test_a_run_resumed_from_its_file_is_the_run_that_never_stopped() -> None:
    whole, _ = _trained(40)
    model, rng = checkpoint.load(checkpoint.dump(*_trained(25)))
    resumed, _ = fit(model, GRID, TRAJECTORY_BALANCE_WITH_REPLAY, iterations=15, rng=rng)
    assert resumed.parameters.tobytes() == whole.parameters.tobytes()
    assert resumed.log_partition == whole.log_partition
    np.testing.assert_array_equal(resumed.remembered, whole.remembered)


def test_equal_models_give_equal_files_without_pickle() -> None:
    data = checkpoint.dump(*_trained(5))
    assert data == checkpoint.dump(*_trained(5))
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        assert set(archive.files) >= {"header", "parameters", "remembered"}


def test_an_untrained_model_keeps_its_unknown_log_partition() -> None:
    model, _ = checkpoint.load(checkpoint.dump(*_trained(0)))
    assert np.isnan(model.log_partition)


def _changed(**arrays: object) -> bytes:
    with np.load(io.BytesIO(checkpoint.dump(*_trained(1)))) as archive:
        kept = {name: archive[name] for name in archive.files}
    buffer = io.BytesIO()
    np.savez(buffer, **(kept | {name: np.asarray(array) for name, array in arrays.items()}))
    return buffer.getvalue()


def test_a_bad_file_is_refused_with_a_reason() -> None:
    whole = checkpoint.dump(*_trained(1))
    for torn in (b"", b"no archive", whole[: len(whole) // 2]):
        with pytest.raises(GFlowNetError, match="checkpoint: can't be read"):
            checkpoint.load(torn)
    with pytest.raises(GFlowNetError, match="can't be read"):
        checkpoint.load(_changed(header=np.frombuffer(b"[]", dtype=np.uint8)))
    with pytest.raises(GFlowNetError, match="format: 'other' is not"):
        checkpoint.load(_changed(header=np.frombuffer(b'{"format": "other"}', dtype=np.uint8)))
    with pytest.raises(GFlowNetError, match=r"parameters: shape \(3,\) must be"):
        checkpoint.load(_changed(parameters=np.zeros(3)))
    with pytest.raises(GFlowNetError, match="can't be read"):
        checkpoint.load(_changed(parameters=np.array([object()])))


def test_a_model_refuses_the_environment_of_another_vocabulary() -> None:
    model, rng = _trained(1)
    other = HypothesisSet({"x": range(3)}).environment(np.zeros(3))
    with pytest.raises(GFlowNetError, match="network: "):
        model.sample(other, 3, rng)
    with pytest.raises(GFlowNetError, match="temperature: 0 is not above 0"):
        model.sample(GRID, 3, rng, temperature=0)


def test_cold_sharpens_what_is_drawn() -> None:
    model, _ = _trained(200)
    cold, warm = (
        model.sample(GRID, 4000, np.random.default_rng(0), temperature=heat).objects for heat in (0.2, 1.0)
    )
    assert np.bincount(cold).max() > 1.5 * np.bincount(warm).max()
