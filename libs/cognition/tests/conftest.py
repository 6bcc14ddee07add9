"""Reference results, and laws that no clock judges."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

GOLDEN = Path(__file__).parents[3] / "tests" / "golden"


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Any]:
    """Reads a reference file."""
    return lambda name: json.loads((GOLDEN / name).read_text())
