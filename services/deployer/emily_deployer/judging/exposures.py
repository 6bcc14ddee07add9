"""Which variants of flags the subjects of a colour are under."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from emily_deployer.judging.proportion import Proportion

MOST_MET = 50_000
"""Subjects under a variant that are told apart; those beyond are not counted."""


class Exposures:
    """Each subject counts once under each variant that it came under.

    Attributes:
        variants: How many subjects were under each, by flag.
    """

    def __init__(self) -> None:
        self.variants: dict[str, Counter[str]] = {}
        self._met: set[tuple[str, str, str]] = set()

    def add(self, subject: str, flags: Mapping[str, str]) -> None:
        """A stimulus of a subject came under these variants, by flag."""
        for flag, variant in flags.items():
            met = subject, flag, variant
            if met not in self._met and len(self._met) < MOST_MET:
                self._met.add(met)
                self.variants.setdefault(flag, Counter())[variant] += 1

    def share(self, flag: str, variant: str) -> Proportion:
        """Of the subjects under a variant, of all that are under one of the flag."""
        counts = self.variants.get(flag, Counter[str]())
        return Proportion(happened=counts[variant], trials=counts.total())
