"""What is asked for: which version, in which steps, and how it is judged."""

from __future__ import annotations

from typing import Annotated

import msgspec
from emily_contracts.routing import Colour
from msgspec import Meta

from emily_deployer.judging import Criteria, Patience

BASIS = 100
"""Basis points of one percent."""

Percent = Annotated[float, Meta(gt=0, lt=100)]
VERSION = r"^[^\x00-\x1f\x7f]*$"


class Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A deploy as a person asks for it.

    Attributes:
        version: A tag of images, or the path of a release, a source folder or a Python environment.
        shadow: Whether the new colour first thinks about copies of the traffic.
        steps: Shares of the subjects in percent that the new colour answers, one after the other.
        window_s: How long the old colour stays ready to take all back after the switch.
        patience: For each verdict.
        criteria: Of the verdicts.

    Raises:
        ValueError: The steps do not rise.
    """

    version: Annotated[str, Meta(min_length=1, max_length=1024, pattern=VERSION)]
    shadow: bool = True
    steps: Annotated[tuple[Percent, ...], Meta(max_length=20)] = (1.0, 5.0, 25.0, 50.0)
    window_s: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    patience: Patience = Patience()
    criteria: Criteria = Criteria()

    def __post_init__(self) -> None:
        weights = self.weights
        if any(weights[i] >= weights[i + 1] for i in range(len(weights) - 1)) or 0 in weights:
            raise ValueError(
                f"steps: {self.steps} do not rise by at least 0.01 percent; such as (1, 5, 25, 50)"
            )

    @property
    def weights(self) -> tuple[int, ...]:
        """Of the canary in basis points, one after the other."""
        return tuple(round(BASIS * percent) for percent in self.steps)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What an order means here and now.

    Attributes:
        old: The colour that answers.
        old_version: That it runs; empty when nobody knows.
        new: The colour that will.
        release: How the driver calls the version: the same words mean the same code.
        steps: What will be done, in words.
    """

    old: Colour
    old_version: str
    new: Colour
    release: str
    steps: tuple[str, ...] = ()
