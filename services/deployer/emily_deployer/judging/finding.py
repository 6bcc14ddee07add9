"""What one metric says of a new colour, and how sure that is."""

from __future__ import annotations

import enum
import math

import msgspec


class Standing(enum.Enum):
    """How sure one metric is."""

    HARMFUL = "harmful"
    """Worse than is tolerated, with the certainty that is asked for."""
    HARMLESS = "harmless"
    """Not worse than the margin, with the certainty that is asked for."""
    OPEN = "open"
    """Neither is certain yet."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one metric says.

    Attributes:
        words: What was seen, and what is certain of it.
    """

    metric: str
    standing: Standing
    words: str


def finding(
    metric: str, seen: str, *, harm: float, harmless: float, said: tuple[str, str], alpha: float
) -> Finding:
    """What follows from log evidence.

    Args:
        metric: Which.
        seen: In words and numbers.
        harm: Log evidence of it.
        harmless: Log evidence that there is none.
        said: What is certain then, of the one and of the other.
        alpha: How often a certainty may be wrong.
    """
    needed = math.log(1 / alpha)
    if harm >= needed:
        return certain(metric, Standing.HARMFUL, f"{seen}; {said[0]}", alpha)
    if harmless >= needed:
        return certain(metric, Standing.HARMLESS, f"{seen}; {said[1]}", alpha)
    return open_(metric, seen)


def certain(metric: str, standing: Standing, words: str, alpha: float) -> Finding:
    """A finding with its certainty."""
    return Finding(
        metric=metric, standing=standing, words=f"{words} with certainty {100 * (1 - alpha):.1f} %"
    )


def open_(metric: str, seen: str) -> Finding:
    """Of a metric that is neither harmful nor harmless yet."""
    return Finding(metric=metric, standing=Standing.OPEN, words=f"{seen}; nothing is certain yet")
