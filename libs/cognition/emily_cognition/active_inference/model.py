"""A discrete generative model, validated once and prepared for fast inference.

Shapes, with S_f states of factor f, O_m outcomes of modality m, U_f controls of factor f:

    A[m]  (O_m, S_f for f in A_dependencies[m])          P(o | s), sums to 1 over o
    B[f]  (S_f, S_d for d in B_dependencies[f], U_f)     P(s' | s, u), sums to 1 over s'
    C[m]  (O_m,) or (T, O_m)                              log-preferences in nats, not normalised
    D[f]  (S_f,)                                          P(s) at the start
    E     (policies,)                                     P(policy) before evidence, or none
    pA, pB, pD   as A, B, D                               Dirichlet counts, where they are learned

Names are those of the literature (Parr, Pezzulo & Friston 2022, ch. 4) and of pymdp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from emily_cognition.active_inference.errors import ModelError
from emily_cognition.active_inference.numerics import Real, log
from emily_cognition.active_inference.validation import (
    Dependencies,
    require_count,
    require_counts,
    require_dependencies,
    require_distributions,
    require_finite,
    require_rank,
    require_shape,
)

Arrays = tuple[Real, ...]


@dataclass(frozen=True, eq=False)
class GenerativeModel:
    """See the module; made by `GenerativeModel.create`. Its arrays are copies and read-only."""

    A: Arrays
    B: Arrays
    C: Arrays
    D: Arrays
    A_dependencies: Dependencies
    B_dependencies: Dependencies
    E: Real | None = None
    pA: Arrays | None = None
    pB: Arrays | None = None
    pD: Arrays | None = None
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
        likelihoods, transitions = _arrays(A), _arrays(B)
        for f, b in enumerate(transitions):
            if b.ndim < 3:
                raise ModelError(f"B[{f}]: shape {b.shape}, but (next, previous..., controls) is needed")
        for m, a in enumerate(likelihoods):
            if a.ndim < 2:
                raise ModelError(f"A[{m}]: shape {a.shape}, but (outcomes, states...) is needed")
        uniform = [np.full(b.shape[0], 1 / max(b.shape[0], 1)) for b in transitions]
        indifferent = [np.zeros(a.shape[0]) for a in likelihoods]
        factors = range(len(transitions))
        return cls(
            A=likelihoods,
            B=transitions,
            C=_arrays(indifferent if C is None else C),
            D=_arrays(uniform if D is None else D),
            E=None if E is None else _arrays([E])[0],
            pA=None if pA is None else _arrays(pA),
            pB=None if pB is None else _arrays(pB),
            pD=None if pD is None else _arrays(pD),
            A_dependencies=_dependencies(A_dependencies, [tuple(factors)] * len(likelihoods)),
            B_dependencies=_dependencies(B_dependencies, [(f,) for f in factors]),
        )

    def __post_init__(self) -> None:
        object.__setattr__(self, "num_states", tuple(b.shape[0] for b in self.B))
        object.__setattr__(self, "num_obs", tuple(a.shape[0] for a in self.A))
        object.__setattr__(self, "num_controls", tuple(b.shape[-1] for b in self.B))
        _validate(self)

    @cached_property
    def joint_states(self) -> int:
        """Number of joint states of all factors."""
        return int(np.prod(self.num_states))

    @cached_property
    def static(self) -> tuple[bool, ...]:
        """For each factor whether it never changes: B is always the identity, and not learned."""
        return tuple(
            self.pB is None
            and self.B_dependencies[f] == (f,)
            and bool((b == np.eye(b.shape[0])[..., None]).all())
            for f, b in enumerate(self.B)
        )

    @cached_property
    def log_A(self) -> Arrays:
        """ln A of each modality, clipped below."""
        return tuple(log(a) for a in self.A)

    @cached_property
    def joint_A(self) -> Arrays:
        """(O_m, joint states) each: P(o | all factors), joint states in row-major order."""
        every = tuple(range(len(self.B)))
        return tuple(
            spread(a, factors, every, self.num_states).reshape(len(a), -1)
            for a, factors in zip(self.A, self.A_dependencies, strict=True)
        )

    @cached_property
    def joint_log_A(self) -> Real:
        """(sum of O_m, joint states): ln P(o | all factors), modalities one below the other; ln 0 is -inf."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.concatenate(self.joint_A)))

    @cached_property
    def first_rows(self) -> tuple[int, ...]:
        """Row of each modality's first outcome in `joint_log_A`."""
        return tuple(int(row) for row in np.cumsum([0, *self.num_obs[:-1]]))

    @cached_property
    def flat_B(self) -> Arrays:
        """(joint states of the dependencies, U_f x S_f) each: one product predicts under every control."""
        return tuple(by_control(b) for b in self.B)


def by_control(transition: Real) -> Real:
    """A tensor shaped like B as `(joint states of the dependencies, U_f x S_f)`."""
    moved = np.moveaxis(transition, (0, -1), (-1, -2))
    return np.ascontiguousarray(moved.reshape(-1, transition.shape[-1] * transition.shape[0]))


def spread(tensor: Real, factors: Sequence[int], onto: Sequence[int], num_states: Sequence[int]) -> Real:
    """A tensor `(O, states of factors)` repeated over a larger list of factors, in that list's order."""
    order = [1 + factors.index(f) for f in onto if f in factors]
    shape = [len(tensor), *(num_states[f] if f in factors else 1 for f in onto)]
    full = (len(tensor), *(num_states[f] for f in onto))
    return np.ascontiguousarray(np.broadcast_to(tensor.transpose(0, *order).reshape(shape), full))


def _arrays(given: Sequence[ArrayLike]) -> Arrays:
    arrays = tuple(np.array(array, dtype=np.float64) for array in given)
    for array in arrays:
        array.setflags(write=False)
    return arrays


def _dependencies(given: Sequence[Sequence[int]] | None, default: Sequence[Sequence[int]]) -> Dependencies:
    return tuple(tuple(int(f) for f in factors) for factors in (default if given is None else given))


def _validate(model: GenerativeModel) -> None:
    factors, modalities = len(model.B), len(model.A)
    if not factors or not modalities:
        raise ModelError(
            f"A, B: {modalities} modalities and {factors} factors; at least one of each is needed"
        )
    require_dependencies("A_dependencies", model.A_dependencies, modalities, factors)
    require_dependencies("B_dependencies", model.B_dependencies, factors, factors)
    for m, (a, needed) in enumerate(zip(model.A, model.A_dependencies, strict=True)):
        require_rank(f"A[{m}]", a, 1 + len(needed))
        require_shape(f"A[{m}]", a, (a.shape[0], *(model.num_states[f] for f in needed)))
        require_distributions(f"A[{m}]", a)
    for f, (b, needed) in enumerate(zip(model.B, model.B_dependencies, strict=True)):
        require_rank(f"B[{f}]", b, 2 + len(needed))
        require_shape(f"B[{f}]", b, (b.shape[0], *(model.num_states[d] for d in needed), b.shape[-1]))
        require_distributions(f"B[{f}]", b)
    require_count("C", model.C, modalities)
    for m, c in enumerate(model.C):
        require_rank(f"C[{m}]", c, 2 if c.ndim == 2 else 1)
        require_shape(f"C[{m}]", c, (*c.shape[:-1], model.num_obs[m]))
        require_finite(f"C[{m}]", c)
    require_count("D", model.D, factors)
    for f, d in enumerate(model.D):
        require_shape(f"D[{f}]", d, (model.num_states[f],))
        require_distributions(f"D[{f}]", d)
    if model.E is not None:
        require_rank("E", model.E, 1)
        require_distributions("E", model.E)
    _validate_counts("pA", model.pA, model.A)
    _validate_counts("pB", model.pB, model.B)
    _validate_counts("pD", model.pD, model.D)


def _validate_counts(name: str, counts: Arrays | None, expected: Arrays) -> None:
    if counts is None:
        return
    require_count(name, counts, len(expected))
    for i, (count, like) in enumerate(zip(counts, expected, strict=True)):
        require_shape(f"{name}[{i}]", count, like.shape)
        require_counts(f"{name}[{i}]", count)
