"""Reference results and small models for every test."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emily_cognition.active_inference import GenerativeModel
from emily_cognition.active_inference.numerics import Real

GOLDEN = Path(__file__).parents[3] / "tests" / "golden"

RandomModel = Callable[..., GenerativeModel]


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Any]:
    """Reads a reference file."""
    return lambda name: json.loads((GOLDEN / name).read_text())


@pytest.fixture(scope="session")
def random_model() -> RandomModel:
    """Two factors (the second follows the first) and three modalities with other dependencies, by seed."""
    return _random_model


@pytest.fixture(scope="session")
def random_beliefs() -> Callable[[int], tuple[Real, ...]]:
    """Beliefs about the two factors, by seed."""
    return lambda seed: tuple(np.random.default_rng(seed).dirichlet(np.ones(n)) for n in (3, 2))


def _random_model(seed: int, *, sparse: bool = False, counts: bool = False) -> GenerativeModel:
    rng = np.random.default_rng(seed)

    def distributions(*shape: int) -> Real:
        weights = rng.gamma(0.5, size=shape) + 1e-3
        if sparse:
            weights = weights * (rng.uniform(size=shape) < 0.6)
            weights[0] += weights.sum(axis=0) == 0
        return np.asarray(weights / weights.sum(axis=0))

    A = [distributions(3, 3), distributions(2, 3, 2), distributions(4, 2)]
    B = [distributions(3, 3, 2), distributions(2, 3, 2, 2)]
    return GenerativeModel.create(
        A=A,
        B=B,
        C=[rng.normal(size=3), rng.normal(size=2), rng.normal(size=(2, 4))],
        D=[distributions(3), distributions(2)],
        A_dependencies=[[0], [0, 1], [1]],
        B_dependencies=[[0], [0, 1]],
        pA=[5 * a for a in A] if counts else None,
        pB=[5 * b for b in B] if counts else None,
        pD=[np.ones(3), np.ones(2)] if counts else None,
    )
