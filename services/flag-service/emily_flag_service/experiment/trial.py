"""One subject under one variant, and what became of it, in sums."""

from __future__ import annotations

import msgspec
from emily_contracts import Decision, Outcome, Status

LONGEST_LATENCY_S = 60.0
"""A stimulus that is older when it is answered came with the time of another clock, and tells nothing."""
UNANSWERED = (Status.DEGRADED, Status.FAILED)


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A subject under a variant of one version of a flag."""

    flag: str
    version: int
    variant: str
    subject: str


class Sums(msgspec.Struct, kw_only=True):
    """What a subject went through.

    Attributes:
        answers: Decisions, whatever their status.
        failures: Of them, those for which a tier did not answer.
        timed: Of them, those whose latency is known.
        latency_ms: From the stimulus's own time on, added up.
        weighed: Decisions with an expected free energy.
        energy: Expected free energy of the chosen policies in nats, added up.
        looks: Decisions to look somewhere.
        outcomes: Decisions that were judged.
        right: Of them, those with a reward above 0.
    """

    answers: int = 0
    failures: int = 0
    timed: int = 0
    latency_ms: float = 0.0
    weighed: int = 0
    energy: float = 0.0
    looks: int = 0
    outcomes: int = 0
    right: int = 0

    def decided(self, decision: Decision, now: float) -> None:
        """Take in a decision that was heard at `now`, seconds since 1970."""
        self.answers += 1
        self.failures += decision.status in UNANSWERED
        self.looks += decision.act.kind == "look"
        latency_s = now - decision.at.timestamp()
        if 0 <= latency_s <= LONGEST_LATENCY_S:
            self.timed += 1
            self.latency_ms += 1000 * latency_s
        if decision.expected_free_energy is not None:
            self.weighed += 1
            self.energy += decision.expected_free_energy.total

    def judged(self, outcome: Outcome) -> None:
        """Take in what became of a decision."""
        self.outcomes += 1
        self.right += outcome.reward > 0


COUNTED = Sums.__struct_fields__
