"""A new colour beside the old one, metric by metric."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from emily_deployer.judging.criteria import Criteria
from emily_deployer.judging.evidence import Evidence
from emily_deployer.judging.finding import Finding, Standing, certain, finding, open_
from emily_deployer.judging.latency import FACTOR, log_evidence_of_slowness, steps_of
from emily_deployer.judging.mean import BoundedMean
from emily_deployer.judging.mixture import log_evidence_above, log_evidence_below
from emily_deployer.judging.proportion import Proportion, log_evidence_of_excess


class Comparison(NamedTuple):
    """What was seen of two colours in the same time.

    Attributes:
        names: Of the new and of the old one.
    """

    new: Evidence
    old: Evidence
    criteria: Criteria
    names: tuple[str, str]

    def findings(self) -> Iterator[Finding]:
        """Of each metric that both colours were seen in, and of each flag by which they can't be compared."""
        new, old, criteria = self.new, self.old, self.criteria
        if new.failures.trials and old.failures.trials:
            yield self._errors()
        if new.latencies.trials and old.latencies.trials:
            yield self._slowness("latency p50", 0.5)
            yield self._slowness("latency p99", 0.99)
        if new.wrong.trials and old.wrong.trials:
            yield self._wrong()
        if new.confidence.trials and old.confidence.trials:
            (new_low, new_high), (old_low, old_high) = new.confidence.bounds, old.confidence.bounds
            lower = old_low - new_high, old_high - new_low
            means = new.confidence, old.confidence
            yield self._mean("confidence", means, lower, (criteria.unsure, criteria.unsure_margin))
        if new.free_energy.trials and old.free_energy.trials:
            (new_low, new_high), (old_low, old_high) = new.free_energy.bounds, old.free_energy.bounds
            higher = new_low - old_high, new_high - old_low
            means = new.free_energy, old.free_energy
            yield self._mean(
                "free energy", means, higher, (criteria.free_energy, criteria.free_energy_margin)
            )

        yield from self._imbalances()

    def _imbalances(self) -> Iterator[Finding]:
        """Flags whose variants are shared out otherwise in one colour than in the other."""
        new, old = self.new.exposures, self.old.exposures
        for flag in sorted(new.variants.keys() & old.variants.keys()):
            variants = sorted(new.variants[flag] | old.variants[flag])
            needed = math.log(2 * len(variants) / self.criteria.each)
            for variant in variants:
                both = new.share(flag, variant), old.share(flag, variant)
                more, less = sorted(both, key=lambda part: part.share, reverse=True)
                if log_evidence_of_excess(more, less, self.criteria.imbalance) >= needed:
                    yield self._imbalance(flag, variant, *both)
                    break

    def _imbalance(self, flag: str, variant: str, new: Proportion, old: Proportion) -> Finding:
        words = (
            f"{self.names[0]} has {_percent(new)} of {new.trials:,} subjects under {flag}={variant}, "
            f"{self.names[1]} {_percent(old)} of {old.trials:,}: they can't be compared until that evens out"
        )
        return Finding(metric="balance", standing=Standing.OPEN, words=words)

    def _errors(self) -> Finding:
        new, old, criteria = self.new.failures, self.old.failures, self.criteria
        seen = (
            f"{self.names[0]} fails {_percent(new)} of {new.trials:,} stimuli, "
            f"{self.names[1]} {_percent(old)} of {old.trials:,}"
        )
        return self._excess("errors", seen, (new, old), (criteria.errors, criteria.errors_margin))

    def _wrong(self) -> Finding:
        new, old, criteria = self.new.wrong, self.old.wrong, self.criteria
        seen = (
            f"{self.names[0]} is wrong in {_percent(new)} of {new.trials:,} judged decisions, "
            f"{self.names[1]} in {_percent(old)} of {old.trials:,}"
        )
        return self._excess("correct", seen, (new, old), (criteria.wrong, criteria.wrong_margin))

    def _excess(
        self, metric: str, seen: str, both: tuple[Proportion, Proportion], tolerated: tuple[float, float]
    ) -> Finding:
        (new, old), (tolerance, margin) = both, tolerated
        return finding(
            metric,
            seen,
            harm=log_evidence_of_excess(new, old, tolerance),
            harmless=log_evidence_of_excess(old, new, -margin),
            said=(
                f"the difference is above {100 * tolerance:g} %",
                f"the difference is below {100 * margin:g} %",
            ),
            alpha=self.criteria.each,
        )

    def _slowness(self, metric: str, share: float) -> Finding:
        new, old, criteria = self.new.latencies, self.old.latencies, self.criteria
        tolerance = FACTOR ** steps_of(criteria.slower)
        margin = FACTOR ** -steps_of(1 / criteria.slower_margin)
        seen = (
            f"{self.names[0]} needs {1e3 * new.quantile(share):.3g} ms at {metric} of {new.trials:,}, "
            f"{self.names[1]} {1e3 * old.quantile(share):.3g} ms of {old.trials:,}"
        )
        return finding(
            metric,
            seen,
            harm=log_evidence_of_slowness(new, old, share=share, ratio=criteria.slower),
            harmless=log_evidence_of_slowness(old, new, share=share, ratio=1 / criteria.slower_margin),
            said=(f"the ratio is above {tolerance:.2f}", f"the ratio is below {margin:.2f}"),
            alpha=criteria.each,
        )

    def _mean(
        self,
        metric: str,
        means: tuple[BoundedMean, BoundedMean],
        worse: tuple[float, float],
        tolerated: tuple[float, float],
    ) -> Finding:
        """By the bounds of how much worse the new mean is."""
        (new, old), (tolerance, margin) = means, tolerated
        seen = (
            f"{self.names[0]} has a mean {metric} of {new.mean:.3f} over {new.trials:,} decisions, "
            f"{self.names[1]} {old.mean:.3f} over {old.trials:,}"
        )
        if worse[0] > tolerance:
            words = f"{seen}; that is worse by more than {tolerance:g}"
            return certain(metric, Standing.HARMFUL, words, self.criteria.each)
        if worse[1] < margin:
            words = f"{seen}; that is not worse by {margin:g}"
            return certain(metric, Standing.HARMLESS, words, self.criteria.each)
        return open_(metric, seen)


def agreement(compared: int, agreed: int, criteria: Criteria, names: tuple[str, str]) -> Finding:
    """Of a shadow with the active colour."""
    share = Proportion(happened=agreed, trials=compared)
    floor = criteria.agreement
    return finding(
        "agreement",
        f"{names[0]} decides as {names[1]} in {_percent(share)} of {compared:,} stimuli",
        harm=log_evidence_below(agreed, compared, floor),
        harmless=log_evidence_above(agreed, compared, floor),
        said=(f"the agreement is below {100 * floor:g} %", f"the agreement is above {100 * floor:g} %"),
        alpha=criteria.each,
    )


def _percent(part: Proportion) -> str:
    return f"{100 * part.share:.1f} %"
