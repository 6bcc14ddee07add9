"""A GFlowNet as one file: NumPy's npz with a JSON header, and no pickle.

The state of the generator goes with it, so that training goes on from the file as if it had never stopped.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np

from emily_cognition.gflownet.errors import GFlowNetError
from emily_cognition.gflownet.model import GFlowNet
from emily_cognition.gflownet.network import Adam, Network

FORMAT = "emily-gflownet/1"


def dump(model: GFlowNet, rng: np.random.Generator) -> bytes:
    """The file of a model and the generator that trains it, NumPy's default (PCG64)."""
    header = {
        "format": FORMAT,
        "sizes": model.network.sizes,
        "steps": [adam.steps for adam in model.adam],
        "generator": rng.bit_generator.state,
    }
    buffer = io.BytesIO()
    np.savez(
        buffer,
        header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
        parameters=model.parameters,
        log_partition=np.array(model.log_partition),
        first=model.adam[0].first,
        second=model.adam[0].second,
        log_partition_moments=np.concatenate([model.adam[1].first, model.adam[1].second]),
        remembered=model.remembered,
    )
    return buffer.getvalue()


def load(data: bytes) -> tuple[GFlowNet, np.random.Generator]:
    """The model and the generator of a file.

    Raises:
        GFlowNetError: It is torn, of another format, or its arrays don't fit its header.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(arrays["header"].tobytes())
        model, rng = _model(header, arrays), np.random.default_rng()
        rng.bit_generator.state = header["generator"]
    except GFlowNetError:
        raise
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError, OSError) as failure:
        raise GFlowNetError(f"checkpoint: can't be read ({failure}); train the model again") from None
    return model, rng


def _model(header: dict[str, Any], arrays: dict[str, Any]) -> GFlowNet:
    if header["format"] != FORMAT:
        raise GFlowNetError(f"format: {header['format']!r} is not {FORMAT!r}; train the model again")
    network = Network(tuple(header["sizes"]))
    sizes = {"parameters": network.parameters, "first": network.parameters, "second": network.parameters}
    for name, size in sizes.items():
        if arrays[name].shape != (size,):
            raise GFlowNetError(f"{name}: shape {arrays[name].shape} must be ({size},) for {network.sizes}")
    of_parameters, of_log_partition = header["steps"]
    first, second = np.split(arrays["log_partition_moments"], 2)
    return GFlowNet(
        network=network,
        parameters=arrays["parameters"],
        log_partition=float(arrays["log_partition"]),
        adam=(Adam(arrays["first"], arrays["second"], of_parameters), Adam(first, second, of_log_partition)),
        remembered=arrays["remembered"],
    )
