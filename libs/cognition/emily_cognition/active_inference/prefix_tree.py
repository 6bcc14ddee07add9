"""Which predictions policies share, so that each is computed once.

What a factor will be depends only on its own controls so far and on what its parents were. Policies that
agree on these share a *history* of the factor, and a modality's expected free energy is needed once for each
distinct combination of its factors' histories: for P policies of length T far fewer than P x T predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emily_cognition.active_inference.model import GenerativeModel

Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Branch:
    """How the histories of one factor at a step follow from those of its parents at the step before.

    Attributes:
        parents: For each dependency, the history that each distinct combination of parents takes.
        take: (histories,) rows `combination x U_f + control` of the predictions under every control; none
            if every combination is followed by every control, in that order.
    """

    parents: tuple[Index, ...]
    take: Index | None


@dataclass(frozen=True, eq=False)
class Leaf:
    """The distinct combinations of histories of several factors at a step.

    Attributes:
        index: (policies,) combination of each policy.
        rows: For each factor the history of every combination; none if the combinations are the full grid
            of the factors' histories, the first factor varying slowest.
    """

    index: Index
    rows: tuple[Index, ...] | None


@dataclass(frozen=True, eq=False)
class Depth:
    """One step of all policies.

    Attributes:
        branches: One a factor; none for a factor that never changes.
        histories: For each factor the (policies,) history of each policy.
        leaves: One for each list of factors the tree was grown for.
    """

    branches: tuple[Branch | None, ...]
    histories: tuple[Index, ...]
    leaves: tuple[Leaf, ...]


@dataclass(frozen=True, eq=False)
class PrefixTree:
    """The histories of a set of policies.

    Attributes:
        combinations: Lists of factors whose joint histories are the leaves, fewest histories first.
        depths: One a step.
    """

    combinations: tuple[tuple[int, ...], ...]
    depths: tuple[Depth, ...]

    @classmethod
    def grow(
        cls, model: GenerativeModel, actions: Index, combinations: Sequence[Sequence[int]]
    ) -> PrefixTree:
        """The tree of policies `(P, T, F)`, with leaves for each list of factors."""
        histories: tuple[Index, ...] = (np.zeros(len(actions), dtype=np.intp),) * len(model.B)
        grown: list[tuple[tuple[Branch | None, ...], tuple[Index, ...]]] = []
        for t in range(actions.shape[1]):
            branches: list[Branch | None] = []
            after: list[Index] = []
            for f, parents in enumerate(model.B_dependencies):
                if model.static[f]:
                    branches.append(None)
                    after.append(histories[f])
                    continue
                branch, history = _branch(
                    [histories[d] for d in parents], actions[:, t, f], model.num_controls[f]
                )
                branches.append(branch)
                after.append(history)
            histories = tuple(after)
            grown.append((tuple(branches), histories))
        fewest = [int(history.max()) for history in histories]
        ordered = tuple(tuple(sorted(factors, key=lambda f: (fewest[f], f))) for factors in combinations)
        return cls(
            ordered,
            tuple(
                Depth(branches, after, tuple(_leaf([after[f] for f in factors]) for factors in ordered))
                for branches, after in grown
            ),
        )


def _distinct(columns: Sequence[Index]) -> tuple[tuple[Index, ...], Index]:
    """The distinct rows of some columns, column by column, and the row of each entry."""
    unique, inverse = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    return tuple(np.ascontiguousarray(column) for column in unique.T), inverse.ravel()


def _branch(parents: Sequence[Index], controls: Index, num_controls: int) -> tuple[Branch, Index]:
    combinations, combination = _distinct(parents)
    (follows, control), history = _distinct([combination, controls])
    complete = len(follows) == len(combinations[0]) * num_controls
    return Branch(combinations, None if complete else follows * num_controls + control), history


def _leaf(histories: Sequence[Index]) -> Leaf:
    rows, index = _distinct(histories)
    grid = len(rows[0]) == int(np.prod([history.max() + 1 for history in histories]))
    return Leaf(index, None if grid else rows)
