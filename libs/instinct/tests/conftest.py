"""Reference results and random streams."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

GOLDEN = Path(__file__).parents[3] / "tests" / "golden"


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Any]:
    """Reads a reference file."""
    return lambda name: json.loads((GOLDEN / name).read_text())


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded stream."""
    return np.random.default_rng(7)
