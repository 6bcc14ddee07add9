from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

GOLDEN = Path(__file__).parents[3] / "tests" / "golden"


@pytest.fixture(scope="session")
def torchhd() -> dict[str, Any]:
    """What torch-hd 5.8.4 gives in 64 dimensions."""
    document: dict[str, Any] = json.loads((GOLDEN / "hdc_torchhd_ops.json").read_text())
    return document


@pytest.fixture(scope="session")
def dynamics() -> dict[str, Any]:
    """Closed forms and high-precision integrations."""
    document: dict[str, Any] = json.loads((GOLDEN / "dynamics_closed_form.json").read_text())
    return document


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
