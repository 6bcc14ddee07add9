"""A discrete generative model, validated once and prepared for fast inference.

Shapes, with S_f states of factor f, O_m outcomes of modality m, U_f controls of factor f:

    A[m]  (O_m, S_f for f in A_dependencies[m])          P(o | s), sums to 1 over o
    B[f]  (S_f, S_d for d in B_dependencies[f], U_f)     P(s' | s, u), sums to 1 over s'
    C[m]  (O_m,) or (T, O_m)                              log-preferences, not normalised
    D[f]  (S_f,)                                          P(s) at the start
    E     (policies,)                                     P(policy) before evidence, or none

Names are those of the literature (Parr, Pezzulo & Friston 2022) and of pymdp.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from emily_cognition.active_inference.errors import ModelError
from emily_cognition.active_inference.numerics import Real, entropy, log

TOLERANCE = 1e-6
EXACT_UP_TO = 4096
"""Joint states up to which exact inference is the default."""

Dependencies = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Group:
    """Modalities that depend on the same factors, stacked for one matrix product.

    Attributes:
        factors: They depend on.
        modalities: Their numbers.
        stacked: (sum of O_m + number of modalities, joint states of `factors`): the likelihoods, then
            a row of entropies H[P(o | s)] for each modality.
        rows: Of each modality's likelihood in `stacked`.
    """

    factors: tuple[int, ...]
    modalities: tuple[int, ...]
    stacked: Real
    rows: tuple[slice, ...]


@dataclass(frozen=True, eq=False)
class GenerativeModel:
    """See the module; made by `GenerativeModel.create`."""

    A: tuple[Real, ...]
    B: tuple[Real, ...]
    C: tuple[Real, ...]
    D: tuple[Real, ...]
    A_dependencies: Dependencies
    B_dependencies: Dependencies
    E: Real | None = None
    pA: tuple[Real, ...] | None = None
    pB: tuple[Real, ...] | None = None
    pD: tuple[Real, ...] | None = None
    num_states: tuple[int, ...] = field(init=False)
    num_obs: tuple[int, ...] = field(init=False)
    num_controls: tuple[int, ...] = field(init=False)

    @classmethod
    def create(
        cls,
        *,
        A: Sequence[ArrayLike],
        B: Sequence[ArrayLike],
        C: Sequence[ArrayLike] | None = None,
        D: Sequence[ArrayLike] | None = None,
        E: ArrayLike | None = None,
        pA: Sequence[ArrayLike] | None = None,
        pB: Sequence[ArrayLike] | None = None,
        pD: Sequence[ArrayLike] | None = None,
        A_dependencies: Sequence[Sequence[int]] | None = None,
        B_dependencies: Sequence[Sequence[int]] | None = None,
    ) -> GenerativeModel:
        """A validated model; C defaults to no preference, D to uniform, dependencies to all and to self.

        Raises:
            ModelError: Names the array, the slice, what is wrong with it and what is needed.
        """
        transitions = _arrays(B)
        likelihoods = _arrays(A)
        factors = range(len(transitions))
        every = tuple(factors)
        return cls(
            A=likelihoods,
            B=transitions,
            C=_arrays(C) if C is not None else tuple(np.zeros(a.shape[0]) for a in likelihoods),
            D=_arrays(D)
            if D is not None
            else tuple(np.full(b.shape[0], 1 / b.shape[0]) for b in transitions),
            E=None if E is None else np.asarray(E, dtype=np.float64),
            pA=None if pA is None else _arrays(pA),
            pB=None if pB is None else _arrays(pB),
            pD=None if pD is None else _arrays(pD),
            A_dependencies=_dependencies(A_dependencies, [every] * len(likelihoods)),
            B_dependencies=_dependencies(B_dependencies, [(f,) for f in factors]),
        )

    def __post_init__(self) -> None:
        object.__setattr__(self, "num_states", tuple(b.shape[0] for b in self.B))
        object.__setattr__(self, "num_obs", tuple(a.shape[0] for a in self.A))
        object.__setattr__(self, "num_controls", tuple(b.shape[-1] for b in self.B))
        _validate(self)

    @property
    def joint_states(self) -> int:
        """Number of joint states of all factors."""
        return int(np.prod(self.num_states))

    @cached_property
    def log_A(self) -> tuple[Real, ...]:
        """ln A, clipped."""
        return tuple(log(a) for a in self.A)

    @cached_property
    def joint_log_A(self) -> tuple[Real, ...]:
        """(O_m, joint states) each: ln A of every modality over all factors, in row-major order."""
        count = len(self.num_states)
        spread = []
        for log_a, factors in zip(self.log_A, self.A_dependencies, strict=True):
            order = np.argsort(factors)
            ordered = np.transpose(log_a, (0, *(1 + order)))
            shape = [log_a.shape[0], *(self.num_states[f] if f in factors else 1 for f in range(count))]
            full = np.broadcast_to(ordered.reshape(shape), (log_a.shape[0], *self.num_states))
            spread.append(np.ascontiguousarray(full.reshape(log_a.shape[0], -1)))
        return tuple(spread)

    @cached_property
    def flat_B(self) -> tuple[Real, ...]:
        """(joint states of the dependencies, U_f x S_f) each: one product predicts under every control."""
        flat = []
        for b in self.B:
            moved = np.moveaxis(b, (0, -1), (-1, -2))
            flat.append(np.ascontiguousarray(moved.reshape(-1, b.shape[-1] * b.shape[0])))
        return tuple(flat)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Modalities by the factors they depend on."""
        members: dict[tuple[int, ...], list[int]] = {}
        for modality, factors in enumerate(self.A_dependencies):
            members.setdefault(factors, []).append(modality)
        groups = []
        for factors, modalities in members.items():
            flat = [self.A[m].reshape(self.num_obs[m], -1) for m in modalities]
            ends = np.cumsum([0, *(len(a) for a in flat)])
            rows = tuple(slice(int(start), int(end)) for start, end in itertools.pairwise(ends))
            ambiguity = [entropy(a, axis=0)[None] for a in flat]
            stacked = np.concatenate([*flat, *ambiguity])
            groups.append(Group(factors, tuple(modalities), np.ascontiguousarray(stacked), rows))
        return tuple(groups)


def _arrays(given: Sequence[ArrayLike]) -> tuple[Real, ...]:
    return tuple(np.asarray(array, dtype=np.float64) for array in given)


def _dependencies(given: Sequence[Sequence[int]] | None, default: Sequence[Sequence[int]]) -> Dependencies:
    return tuple(tuple(int(f) for f in factors) for factors in (default if given is None else given))


def _validate(model: GenerativeModel) -> None:
    factors = len(model.B)
    if not model.A or not model.B:
        raise ModelError("A, B: a model needs at least one modality and one factor")
    _require_dependencies("A_dependencies", model.A_dependencies, len(model.A), factors)
    _require_dependencies("B_dependencies", model.B_dependencies, factors, factors)
    for m, a in enumerate(model.A):
        expected = (a.shape[0], *(model.num_states[f] for f in model.A_dependencies[m]))
        _require_shape(f"A[{m}]", a, expected)
        _require_distributions(f"A[{m}]", a)
    for f, b in enumerate(model.B):
        expected = (b.shape[0], *(model.num_states[d] for d in model.B_dependencies[f]), b.shape[-1])
        _require_shape(f"B[{f}]", b, expected)
        _require_distributions(f"B[{f}]", b)
    _require_count("C", model.C, len(model.A))
    for m, c in enumerate(model.C):
        _require_shape(f"C[{m}]", c, (*c.shape[:-1], model.num_obs[m]))
        _require_finite(f"C[{m}]", c)
    _require_count("D", model.D, factors)
    for f, d in enumerate(model.D):
        _require_shape(f"D[{f}]", d, (model.num_states[f],))
        _require_distributions(f"D[{f}]", d)
    if model.E is not None:
        _require_distributions("E", model.E)
    for name, counts, likes in (
        ("pA", model.pA, model.A),
        ("pB", model.pB, model.B),
        ("pD", model.pD, model.D),
    ):
        if counts is not None:
            _require_count(name, counts, len(likes))
            for i, (count, like) in enumerate(zip(counts, likes, strict=True)):
                _require_shape(f"{name}[{i}]", count, like.shape)
                _require_counts(f"{name}[{i}]", count)


def _require_count(name: str, arrays: tuple[Real, ...], count: int) -> None:
    if len(arrays) != count:
        raise ModelError(f"{name}: {len(arrays)} arrays given, {count} needed")


def _require_dependencies(name: str, given: Dependencies, count: int, factors: int) -> None:
    if len(given) != count:
        raise ModelError(f"{name}: {len(given)} lists given, {count} needed")
    for i, listed in enumerate(given):
        if not listed or len(set(listed)) != len(listed) or not all(0 <= f < factors for f in listed):
            raise ModelError(f"{name}[{i}]: {listed} must name distinct factors of 0..{factors - 1}")


def _require_shape(name: str, array: Real, expected: tuple[int, ...]) -> None:
    if array.shape != expected:
        raise ModelError(f"{name}: shape {array.shape}, but {expected} follows from the other arrays")


def _require_finite(name: str, array: Real) -> None:
    if not np.isfinite(array).all():
        raise ModelError(
            f"{name}{_first(~np.isfinite(array))}: {array[~np.isfinite(array)][0]} is not finite"
        )


def _require_counts(name: str, array: Real) -> None:
    _require_finite(name, array)
    if (array < 0).any():
        raise ModelError(f"{name}{_first(array < 0)}: {array.min()} is below 0; Dirichlet counts are not")


def _require_distributions(name: str, array: Real) -> None:
    _require_finite(name, array)
    if (array < 0).any():
        raise ModelError(f"{name}{_first(array < 0)}: {array[array < 0][0]} is below 0")
    sums = array.sum(axis=0)
    wrong = np.abs(sums - 1.0) > TOLERANCE
    if wrong.any():
        where = _first(np.atleast_1d(wrong)) if array.ndim > 1 else ""
        place = where.replace("[", "[:, ") if where else ""
        raise ModelError(
            f"{name}{place}: sums to {np.atleast_1d(sums)[np.atleast_1d(wrong)][0]:g} instead of 1"
        )


def _first(wrong: np.ndarray[tuple[int, ...], np.dtype[np.bool]]) -> str:
    return str([int(i) for i in np.argwhere(wrong)[0]])
