"""How many snapshots are kept of a dataset: so many hours, days, weeks, months and years."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0, le=10_000)]

PERIODS: dict[str, Callable[[datetime], str]] = {
    "hourly": lambda at: at.strftime("%Y-%m-%d %H:00"),
    "daily": lambda at: at.strftime("%Y-%m-%d"),
    "weekly": lambda at: at.strftime("%G-W%V"),
    "monthly": lambda at: at.strftime("%Y-%m"),
    "yearly": lambda at: at.strftime("%Y"),
}
"""The period of each kind that a moment in UTC lies in, finest first; later ones sort behind."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The newest snapshot of each period is kept, for so many periods that have one.

    Attributes:
        recursive: The datasets below are taken in the same instant and kept alike.
        requested: Of those that somebody asked for, so many of the newest are kept beside.
    """

    recursive: bool = False
    hourly: Count = 0
    daily: Count = 0
    weekly: Count = 0
    monthly: Count = 0
    yearly: Count = 0
    requested: Count = 10

    def __post_init__(self) -> None:
        if not self.counts():
            raise ValueError(f"keeps nothing; give at least one of {', '.join(PERIODS)}, such as daily = 7")

    def counts(self) -> dict[str, int]:
        """By period, finest first; those that are kept at all."""
        return {period: count for period in PERIODS if (count := getattr(self, period))}

    def __str__(self) -> str:
        kept = ", ".join(f"{count} {period}" for period, count in self.counts().items())
        return f"{kept}, recursive" if self.recursive else kept
