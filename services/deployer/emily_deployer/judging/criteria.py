"""How much worse a new colour may be, and how sure a verdict has to be."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Share = Annotated[float, Meta(ge=0, le=1)]

METRICS = ("agreement", "errors", "latency p50", "latency p99", "correct", "confidence", "free energy")
"""What is judged; they share `alpha` in equal parts (Bonferroni)."""


class Criteria(msgspec.Struct, frozen=True, kw_only=True):
    """When a new colour is worse, and when it is as good as the old one.

    What is worse beyond a tolerance is harm; what is not worse by more than a margin is harmless.

    Attributes:
        alpha: How often a colour that is as good may be sent back, over a whole deploy and all metrics.
        errors: How much larger the share of failed stimuli may be.
        errors_margin: Below which it is harmless.
        slower: How many times as long the median and the 99th percentile of latency may be.
        slower_margin: Below which it is harmless.
        wrong: How much smaller the share of correct decisions may be.
        wrong_margin: Below which it is harmless.
        unsure: How much smaller the mean confidence may be.
        unsure_margin: Below which it is harmless.
        free_energy: How much larger the mean expected free energy of the chosen policies may be, in nats.
        free_energy_margin: Below which it is harmless.
        free_energy_range: In nats; what lies outside counts as its end.
        agreement: Least share of stimuli that a shadow answers as the active colour does.
        imbalance: How much the shares of subjects under a variant of a flag may differ; beyond it, what the
            flag does can't be told from what the version does, and nothing is promoted by its verdict.

    Raises:
        ValueError: A margin is tighter than its tolerance, or the range is empty.
    """

    alpha: Annotated[float, Meta(gt=0, lt=1)] = 0.05
    errors: Share = 0.005
    errors_margin: Share = 0.02
    slower: Annotated[float, Meta(ge=1)] = 1.2
    slower_margin: Annotated[float, Meta(ge=1)] = 1.5
    wrong: Share = 0.01
    wrong_margin: Share = 0.05
    unsure: Share = 0.05
    unsure_margin: Share = 0.1
    free_energy: Annotated[float, Meta(ge=0)] = 0.25
    free_energy_margin: Annotated[float, Meta(ge=0)] = 0.5
    free_energy_range: tuple[float, float] = (-10.0, 10.0)
    agreement: Share = 0.9
    imbalance: Share = 0.1

    def __post_init__(self) -> None:
        for name in ("errors", "slower", "wrong", "unsure", "free_energy"):
            tolerance, margin = getattr(self, name), getattr(self, f"{name}_margin")
            if margin < tolerance:
                raise ValueError(f"{name}_margin: {margin} is below {name}, {tolerance}")
        low, high = self.free_energy_range
        if not low < high:
            raise ValueError(f"free_energy_range: {high} is not above {low}")

    @property
    def each(self) -> float:
        """The part of alpha that one metric has."""
        return self.alpha / len(METRICS)
