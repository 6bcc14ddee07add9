"""What was seen of one colour."""

from __future__ import annotations

import msgspec

from emily_deployer.judging.criteria import Criteria
from emily_deployer.judging.exposures import Exposures
from emily_deployer.judging.latency import Latencies
from emily_deployer.judging.mean import BoundedMean
from emily_deployer.judging.proportion import Proportion


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one stimulus, or of its decision.

    Attributes:
        failed: Whether it got no answer in time, or one without the higher tiers; none when this says nothing
            of it.
        latency_s: Of an answer.
        correct: Whether the world said that the decision was right.
        confidence: Of a decision, in 0..1.
        free_energy: Expected free energy of the chosen policy in nats.
    """

    failed: bool | None = None
    latency_s: float | None = None
    correct: bool | None = None
    confidence: float | None = None
    free_energy: float | None = None


class Evidence:
    """Everything that was seen of one colour since a comparison began.

    Attributes:
        failures: Of the stimuli.
        wrong: Of the decisions that the world judged.
        latencies: Of the answers.
        confidence: Mean of the decisions.
        free_energy: Mean of the chosen policies.
        exposures: Which variants of flags its subjects are under.
    """

    def __init__(self, criteria: Criteria) -> None:
        half = criteria.each / 2
        self.failures = Proportion()
        self.wrong = Proportion()
        self.latencies = Latencies()
        self.confidence = BoundedMean(0.0, 1.0, alpha=half)
        self.free_energy = BoundedMean(*criteria.free_energy_range, alpha=half)
        self.exposures = Exposures()

    @property
    def stimuli(self) -> int:
        """How many were seen."""
        return self.failures.trials

    def add(self, seen: Observation) -> None:
        """Take one observation in."""
        if seen.failed is not None:
            self.failures = _counted(self.failures, seen.failed)
        if seen.correct is not None:
            self.wrong = _counted(self.wrong, not seen.correct)
        if seen.latency_s is not None:
            self.latencies.add(seen.latency_s)
        if seen.confidence is not None:
            self.confidence.add(seen.confidence)
        if seen.free_energy is not None:
            self.free_energy.add(seen.free_energy)


def _counted(before: Proportion, happened: bool) -> Proportion:
    return Proportion(happened=before.happened + happened, trials=before.trials + 1)
