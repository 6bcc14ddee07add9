"""Whether the arrays of a generative model fit each other; the first fault is named with its slice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from emily_cognition.active_inference.errors import ModelError
from emily_cognition.active_inference.numerics import Real

TOLERANCE = 1e-6
"""How far the sum of a distribution may be from 1."""

Dependencies = tuple[tuple[int, ...], ...]


def require_count(name: str, arrays: Sequence[object], count: int) -> None:
    """Refuse a list whose length is not `count`."""
    if len(arrays) != count:
        raise ModelError(f"{name}: {len(arrays)} given, {count} needed")


def require_rank(name: str, array: Real, rank: int) -> None:
    """Refuse an array without `rank` axes, or with an empty one."""
    if array.ndim != rank or 0 in array.shape:
        raise ModelError(f"{name}: shape {array.shape}, but {rank} axes, none of them empty, are needed")


def require_shape(name: str, array: Real, expected: tuple[int, ...]) -> None:
    """Refuse an array whose shape the other arrays contradict."""
    if array.shape != expected:
        raise ModelError(f"{name}: shape {array.shape}, but {expected} follows from the other arrays")


def require_dependencies(name: str, given: Dependencies, count: int, factors: int) -> None:
    """Refuse lists of factors that repeat one or name one that does not exist."""
    require_count(name, given, count)
    for i, listed in enumerate(given):
        if not listed or len(set(listed)) != len(listed) or not all(0 <= f < factors for f in listed):
            raise ModelError(f"{name}[{i}]: {listed} must name distinct factors of 0..{factors - 1}")


def require_finite(name: str, array: Real) -> None:
    """Refuse infinities and NaN."""
    _refuse_where(name, array, ~np.isfinite(array), "is not finite")


def require_counts(name: str, array: Real) -> None:
    """Refuse what can't be Dirichlet counts; 0 is a structural zero."""
    require_finite(name, array)
    _refuse_where(name, array, array < 0, "is below 0; Dirichlet counts are not")


def require_distributions(name: str, array: Real) -> None:
    """Refuse what does not sum to 1 over the first axis."""
    require_finite(name, array)
    _refuse_where(name, array, array < 0, "is below 0; probabilities are not")
    sums = array.sum(axis=0)
    wrong = np.abs(sums - 1.0) > TOLERANCE
    if wrong.any():
        where = np.argwhere(wrong)[0]
        column = f"[{', '.join([':', *map(str, where)])}]"
        raise ModelError(
            f"{name}{column}: sums to {sums[tuple(where)]:g} instead of 1; normalise over axis 0"
        )


def _refuse_where(name: str, array: Real, wrong: NDArray[np.bool], fault: str) -> None:
    if wrong.any():
        where = np.argwhere(wrong)[0]
        raise ModelError(f"{name}[{', '.join(map(str, where))}]: {array[tuple(where)]} {fault}")
