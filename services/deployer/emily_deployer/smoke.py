"""Tests of a colour that gets no traffic yet: is it well, does it attend in time, does it think of enough?"""

from __future__ import annotations

import math
import time

import anyio
from emily_bus import AskError, Bus, BusError, BusSettings
from emily_contracts import AttentionRequest, Health, HealthRequest, HypothesesRequest
from emily_contracts.topics import ATTEND, HEALTH, HYPOTHESISE

from emily_deployer.errors import StepFailed

TIERS = ("reflex", "workspace", "inference")
HEALTH_TIMEOUT_S = 2.0
ATTEND_TIMEOUT_S = 2.0
HYPOTHESES_TIMEOUT_S = 10.0
ASKED = 40
DRIVES = (0.6, 1.4, 0.9, 0.2)
SAMPLED = 200
DEVIATIONS = 4.0
TOLERATED = 0.2
"""Share of the expected hypotheses that may be missing beside chance: a sampler is trained, not exact."""


class Smoke:
    """Tests colours directly, in their own space on the bus.

    Args:
        settings: Of the bus.
        root: The root namespace.
        slowest_s: Median that the attention of tier 1 may need.
    """

    def __init__(self, settings: BusSettings, *, root: str = "emily", slowest_s: float = 0.05) -> None:
        self._settings = settings
        self._root = root
        self._slowest_s = slowest_s

    async def __call__(self, colour: str) -> str:
        """What was found, in words.

        Raises:
            StepFailed: A test failed; the message says which, and by how much.
        """
        namespace = f"{self._root}/{colour}"
        try:
            async with Bus.open(self._settings, namespace=namespace, name="deployer-smoke") as bus:
                found = (
                    await self._health(bus, colour),
                    await self._attention(bus, colour),
                    await self._diversity(bus, colour),
                )
        except BusError as failure:
            raise StepFailed(f"{colour}: {failure}") from None
        return "; ".join(found)

    async def _health(self, bus: Bus, colour: str) -> str:
        answers: dict[str, Health] = {}

        async def ask(tier: str) -> None:
            try:
                answers[tier] = await bus.ask(HEALTH, _asked(tier), timeout=HEALTH_TIMEOUT_S)
            except AskError as failure:
                raise StepFailed(f"health: {tier} of {colour} does not answer: {failure}") from None

        for tier in TIERS:
            await ask(tier)
        ill = [
            f"{tier} is {health.phase}, unmet: {', '.join(health.unmet) or 'nothing'}"
            for tier, health in answers.items()
            if not health.ready
        ]
        if ill:
            raise StepFailed(f"health of {colour}: {'; '.join(ill)}")
        return f"{', '.join(TIERS)} are well"

    async def _attention(self, bus: Bus, colour: str) -> str:
        """The strongest drive has to be emitted first, and in time."""
        request = AttentionRequest(drives=DRIVES)
        seconds = []
        for _ in range(ASKED):
            asked = time.monotonic()
            answer = await bus.ask(ATTEND, request, timeout=ATTEND_TIMEOUT_S)
            seconds.append(time.monotonic() - asked)
            if answer.emitted and answer.emitted[0] != DRIVES.index(max(DRIVES)):
                raise StepFailed(f"attention of {colour}: emits {answer.emitted} for the drives {DRIVES}")
            await anyio.lowlevel.checkpoint()
        median = sorted(seconds)[ASKED // 2]
        if median > self._slowest_s:
            raise StepFailed(
                f"attention of {colour}: median {1e3 * median:.1f} ms, at most {1e3 * self._slowest_s:g} ms"
            )
        return f"attention in {1e3 * median:.1f} ms"

    async def _diversity(self, bus: Bus, colour: str) -> str:
        """As many distinct hypotheses as the reported probabilities promise, give or take chance."""
        request = HypothesesRequest(count=SAMPLED)
        sample = await bus.ask(HYPOTHESISE, request, timeout=HYPOTHESES_TIMEOUT_S)
        drawn = sum(hypothesis.drawn for hypothesis in sample.hypotheses)
        if drawn != SAMPLED or sample.unique != len(sample.hypotheses):
            raise StepFailed(
                f"hypotheses of {colour}: {drawn} drawn and {sample.unique} unique are told "
                f"of {SAMPLED} asked and {len(sample.hypotheses)} given"
            )
        least = least_unique(
            sample.expected_unique, [hypothesis.log_probability for hypothesis in sample.hypotheses], SAMPLED
        )
        if sample.collapsed or sample.unique < least:
            raise StepFailed(
                f"hypotheses of {colour}: {sample.unique} are unique of {SAMPLED}, "
                f"{sample.expected_unique:.1f} are expected and {least:.1f} the least; it has collapsed"
            )
        return f"{sample.unique} hypotheses of {sample.expected_unique:.1f} expected"


def least_unique(expected: float, log_probabilities: list[float], count: int) -> float:
    """Fewest distinct hypotheses that chance and an imperfect sampler explain.

    Whether each is drawn at all varies by q (1 - q), q = 1 - (1 - p)^count, and one more of these makes
    another less likely: the sum is an upper bound of the variance of the number of distinct ones.

    Args:
        expected: Of a perfect sampler.
        log_probabilities: Of those that were drawn.
        count: How many draws there were.
    """
    chances = [-math.expm1(count * math.log1p(-min(1 - 1e-12, math.exp(each)))) for each in log_probabilities]
    deviation = math.sqrt(sum(chance * (1 - chance) for chance in chances))
    return (1 - TOLERATED) * expected - DEVIATIONS * deviation


def _asked(tier: str) -> HealthRequest:
    return HealthRequest(service=tier)
